pub fn run(_:&[String])->anyhow::Result<std::process::ExitCode>{todo!()} pub fn list(){}
