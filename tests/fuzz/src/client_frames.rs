//! What a client sends, before a room sees it.

use schemas::{ClientMessage, Codec, Frame, codec};

/// Any bytes as a frame, of both codecs. What is read is what its encoding reads as.
pub fn client_frames(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    for frame in [Frame::Text(text), Frame::Binary(bytes.to_vec())] {
        for codec in Codec::ALL {
            for message in codec::decode_client(codec, &frame).into_iter().flatten() {
                check(codec, &message);
            }
        }
    }
}

fn check(codec: Codec, message: &ClientMessage) {
    assert_eq!(read_again(codec, message), *message, "in {codec:?}");
    // The other codec drops white space around a payload's JSON, and nothing more once it has.
    for other in Codec::ALL {
        let told = read_again(other, message);
        for codec in Codec::ALL {
            assert_eq!(read_again(codec, &read_again(Codec::Json, &told)), read_again(Codec::Json, &told));
        }
    }
}

fn read_again(codec: Codec, message: &ClientMessage) -> ClientMessage {
    let frame = codec::join(codec, [codec::encode(codec, message).as_slice()]);
    let mut read = codec::decode_client(codec, &frame);
    assert_eq!(read.len(), 1, "one message is read as one: {read:?}");
    read.remove(0).expect("what was read can be read again")
}
