//! WebSocket frames by hand, for what a decent client never does: close frames that are wrong or never answered,
//! half a frame, a connection reset, an extension offered.

use crate::DEADLINE;
use anyhow::{Context as _, Result, bail, ensure};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// A frame as it came: its opcode and unmasked content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    pub opcode: u8,
    pub content: Vec<u8>,
}

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;

/// A WebSocket without manners.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
    /// The status line and headers of the upgrade's answer, lower-cased.
    pub head: String,
}

impl RawSocket {
    /// Upgrades at `authority` with `headers` added to what RFC 6455 asks for.
    pub async fn upgrade(authority: &str, path: &str, headers: &[(&str, &str)]) -> Result<RawSocket> {
        let stream = TcpStream::connect(authority).await.context("connect")?;
        RawSocket::upgrade_on(stream, authority, path, headers).await
    }

    /// As [`RawSocket::upgrade`], on a connection that takes in little until it is read.
    pub async fn upgrade_narrow(authority: &str, path: &str, headers: &[(&str, &str)]) -> Result<RawSocket> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(16_384)?;
        let stream = socket.connect(authority.parse().context("an address")?).await.context("connect")?;
        RawSocket::upgrade_on(stream, authority, path, headers).await
    }

    async fn upgrade_on(
        mut stream: TcpStream,
        authority: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<RawSocket> {
        stream.set_nodelay(true)?;
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            ensure!(answer.len() < 16_384, "an endless answer to the upgrade");
            answer.push(timeout(DEADLINE, stream.read_u8()).await.context("upgrade in time")??);
        }
        Ok(RawSocket { stream, head: String::from_utf8_lossy(&answer).to_ascii_lowercase() })
    }

    /// A whole masked frame.
    pub async fn send(&mut self, opcode: u8, content: &[u8]) -> Result<()> {
        let frame = frame(opcode, content)?;
        self.stream.write_all(&frame).await.context("write a frame")
    }

    pub async fn text(&mut self, text: &str) -> Result<()> {
        self.send(TEXT, text.as_bytes()).await
    }

    /// Bytes below the level of frames.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.context("write")
    }

    /// The next frame; `None` when the server's TCP connection has ended.
    pub async fn next(&mut self) -> Result<Option<RawFrame>> {
        self.next_within(DEADLINE).await
    }

    pub async fn next_within(&mut self, limit: Duration) -> Result<Option<RawFrame>> {
        timeout(limit, self.read_frame()).await.context("a frame or the end in time")?
    }

    async fn read_frame(&mut self) -> Result<Option<RawFrame>> {
        let mut head = [0; 2];
        if self.stream.read_exact(&mut head).await.is_err() {
            return Ok(None);
        }
        ensure!(head[0] & 0x80 != 0, "a fragmented message");
        ensure!(head[0] & 0x70 == 0, "reserved bits without an extension: {:02x}", head[0]);
        ensure!(head[1] & 0x80 == 0, "a server must not mask");
        let length = match head[1] {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            short => u64::from(short),
        };
        let mut content = vec![0; usize::try_from(length)?];
        self.stream.read_exact(&mut content).await?;
        Ok(Some(RawFrame { opcode: head[0] & 0x0f, content }))
    }

    /// Reads on until the server's close frame and returns its code.
    pub async fn close_code(&mut self) -> Result<u16> {
        while let Some(frame) = self.next().await? {
            if frame.opcode == CLOSE {
                let code = frame.content.get(..2).context("a close frame with a code")?;
                return Ok(u16::from_be_bytes([code[0], code[1]]));
            }
        }
        bail!("the TCP connection ended without a close frame")
    }

    /// Reads until the server's TCP connection has ended.
    pub async fn end(&mut self) -> Result<()> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// Our half of the TCP connection ends; the server may still send.
    pub async fn finish(&mut self) -> Result<()> {
        self.stream.shutdown().await.context("FIN")
    }

    /// The TCP connection ends with a reset.
    pub fn reset(self) -> Result<()> {
        self.stream.set_zero_linger().context("RST")
    }
}

fn frame(opcode: u8, content: &[u8]) -> Result<Vec<u8>> {
    const MASK: [u8; 4] = [0x5a, 0xa5, 0x3c, 0xc3];
    let mut frame = vec![0x80 | opcode];
    match content.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short)?),
        medium @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(medium)?.to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(long)?.to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(content.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    Ok(frame)
}
