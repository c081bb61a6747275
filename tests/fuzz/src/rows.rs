//! What a room left in its storage and with its sockets.

use room_core::{Attachment, Record, Row};

/// Any bytes as an attachment and as a row of the log. What is read is what its encoding reads as.
pub fn rows(bytes: &[u8]) {
    if let Some(attachment) = Attachment::decode(bytes) {
        assert_eq!(Attachment::decode(&attachment.encode()), Some(attachment));
    }
    if let Ok(record) = Record::decode(&Row { body: bytes.to_vec(), data: None }) {
        let row = Row { body: record.encode_body(), data: record.publication.data.clone() };
        let again = Record::decode(&row).expect("what was read and written can be read");
        let kept = |record: &Record| {
            let publication = &record.publication;
            let says = (publication.kind.clone(), publication.data.clone(), publication.tags.clone());
            (publication.offset, publication.time, publication.from.clone(), says, record.to.clone())
        };
        assert_eq!(kept(&again), kept(&record));
    }
}
