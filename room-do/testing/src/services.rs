//! What comes over HTTP, or from another Worker: calls, and the streams that they read.

use room_core::{Input, RequestId, behavior::Behavior};
use schemas::{
    http::{MethodCall, MethodCaller, RoomCall},
    server_message::{RequestError, RequestResult},
};
use serde_json::Value;

use super::{TestRoom, payload, value};

impl<B: Behavior> TestRoom<B> {
    /// Calls a method as an API key, or another Worker, does.
    ///
    /// # Errors
    /// What the room answers.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn service(&mut self, method: &str, args: &Value) -> Result<Value, RequestError> {
        let request = self.start_service(method, args);
        self.service_answer(request).expect("a call is answered")
    }

    /// As [`TestRoom::service`], of what streams or waits: the answer is [`TestRoom::service_answer`]'s.
    ///
    /// # Panics
    /// Where `args` cannot be written as JSON.
    pub fn start_service(&mut self, method: &str, args: &Value) -> RequestId {
        let call =
            MethodCall { method: method.to_owned(), args: payload(args), caller: MethodCaller::Service };
        self.ask(RoomCall::Method(call))
    }

    /// What came of a service's call, if it is over.
    pub fn service_answer(&mut self, request: RequestId) -> Option<Result<Value, RequestError>> {
        let answer = self.answers.remove(&request)?;
        Some(answer.map(|result| match result {
            RequestResult::Called(result) => value(&result),
            other => panic!("{other:?} is no answer to a call"),
        }))
    }

    /// The chunks that a service's call has streamed since this was asked before.
    pub fn service_chunks(&mut self, request: RequestId) -> Vec<Value> {
        self.chunks.insert(request, Vec::new()).unwrap_or_default()
    }

    /// The reader of a service's stream has taken what there was.
    pub fn want(&mut self, request: RequestId) {
        self.input(Input::Wanted { request });
        self.end_turn();
    }

    /// The reader of a service's stream has taken something, and not all.
    pub fn read_on(&mut self, request: RequestId) {
        self.input(Input::Reading { request });
        self.end_turn();
    }

    /// The reader of a service's stream is gone.
    pub fn abandon(&mut self, request: RequestId) {
        self.input(Input::Abandoned { request });
    }

    /// As [`TestRoom::backend`], of what streams or waits.
    pub fn ask(&mut self, call: RoomCall) -> RequestId {
        let request = self.begin(call);
        self.end_turn();
        request
    }

    /// As [`TestRoom::ask`], of several within one turn.
    pub fn ask_together(&mut self, calls: Vec<RoomCall>) -> Vec<RequestId> {
        let requests = calls.into_iter().map(|call| self.begin(call)).collect();
        self.end_turn();
        requests
    }

    fn begin(&mut self, call: RoomCall) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.input(Input::Asked { request, call });
        request
    }
}
