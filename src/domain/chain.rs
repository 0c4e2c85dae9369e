//! The chain of the audit trail: what is hashed, how, and what a checkpoint says. `docs/audit.md` tells the same to
//! whoever wants to check it with other tools.

use aws_lc_rs::{digest, hmac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::support::{Digest, Id, hex, unhex};

/// The first byte of what is hashed. Another encoding gets another one, and the old one is still understood.
const RECORD_FORMAT: u8 = 1;
/// Of a checkpoint's text.
const CHECKPOINT_FORMAT: u8 = 1;

const SEED: &[u8] = b"latchway audit writer v1\0";
const SEAL: &[u8] = b"latchway audit checkpoint v1\0";

/// An audit event as it is chained.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub writer: Id,
    pub sequence: i64,
    pub id: Id,
    pub at_millis: i64,
    pub kind: &'a str,
    pub outcome: &'a str,
    pub reason: Option<&'a str>,
    pub client_id: Option<&'a str>,
    pub subject_hash: Option<&'a str>,
    pub operator: Option<&'a str>,
    pub address: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub detail: Option<&'a str>,
}

impl Record<'_> {
    /// The hash of this event, which follows the one that has the hash `previous`: SHA-256 over that hash and the
    /// canonical encoding. `buffer` spares an allocation for each event.
    pub fn link(&self, previous: &Digest, buffer: &mut Vec<u8>) -> Digest {
        buffer.clear();
        buffer.extend_from_slice(previous);
        self.encode(buffer);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, buffer).as_ref());
        hash
    }

    /// The hash of this event by itself, with zeros in the place of the hash that it follows.
    pub fn alone(&self, buffer: &mut Vec<u8>) -> Digest {
        self.link(&[0; 32], buffer)
    }

    /// What has a fixed length as it is, numbers in network order; every text with its length before it; what can be
    /// missing with a byte that says whether it is there.
    fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.push(RECORD_FORMAT);
        buffer.extend_from_slice(self.writer.as_bytes());
        buffer.extend_from_slice(&self.sequence.to_be_bytes());
        buffer.extend_from_slice(self.id.as_bytes());
        buffer.extend_from_slice(&self.at_millis.to_be_bytes());
        for text in [self.kind, self.outcome] {
            encode_text(text, buffer);
        }
        for text in
            [self.reason, self.client_id, self.subject_hash, self.operator, self.address, self.request_id, self.detail]
        {
            buffer.push(u8::from(text.is_some()));
            if let Some(text) = text {
                encode_text(text, buffer);
            }
        }
    }
}

fn encode_text(text: &str, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(&(text.len() as u64).to_be_bytes());
    buffer.extend_from_slice(text.as_bytes());
}

/// The key of the audit trail. Whoever has it can begin a chain and sign a checkpoint.
pub struct ChainKey(hmac::Key);

impl ChainKey {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// What stands in the place of a hash before a writer's first event. It is stored nowhere, so that nobody without the
    /// key begins a chain.
    pub fn seed(&self, writer: Id) -> Hash {
        Hash::of(&hmac::sign(&self.0, &[SEED, writer.as_bytes()].concat()))
    }

    /// The checkpoint's text and its signature.
    pub fn seal(&self, checkpoint: &Checkpoint) -> Sealed {
        // A struct of numbers, texts and lists has a JSON form in any case.
        let body = serde_json::to_string(checkpoint).unwrap_or_default();
        let mac = Hash::of(&hmac::sign(&self.0, &[SEAL, body.as_bytes()].concat()));
        Sealed { number: checkpoint.number, at_millis: checkpoint.at_millis, body, mac: mac.0.to_vec() }
    }

    /// What a checkpoint says, if it was signed with this key.
    pub fn open(&self, sealed: &Sealed) -> Option<Checkpoint> {
        hmac::verify(&self.0, &[SEAL, sealed.body.as_bytes()].concat(), &sealed.mac).ok()?;
        sealed.read().filter(|read| read.number == sealed.number && read.at_millis == sealed.at_millis)
    }
}

impl std::fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChainKey([redacted])")
    }
}

/// A SHA-256 or an HMAC of it; 64 hexadecimal digits in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub Digest);

impl Hash {
    fn of(tag: &hmac::Tag) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(tag.as_ref());
        Self(hash)
    }

    /// `None`: not 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = unhex(&text).and_then(|bytes| Self::from_slice(&bytes));
        hash.ok_or_else(|| serde::de::Error::custom("not 64 hexadecimal digits"))
    }
}

/// How far a writer's chain goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub writer: Id,
    pub sequence: i64,
    pub hash: Hash,
    #[serde(default, skip_serializing_if = "Stage::is_open")]
    pub stage: Stage,
}

/// Whether a writer can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    #[default]
    Open,
    /// It has ended; nothing more comes of it.
    Ended,
}

impl Stage {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_open(&self) -> bool {
        *self == Self::Open
    }
}

/// A statement about the chains, signed, and chained itself by the signature of the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub format: u8,
    pub number: i64,
    /// The signature of the one before; the first has none.
    pub previous: Option<Hash>,
    pub at_millis: i64,
    /// How far chains go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<Head>,
    /// Up to where chains were cut off at their beginning, as too old.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<Head>,
    /// Checkpoints up to this number were removed, as too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned_checkpoints: Option<i64>,
    /// Events up to this one come from before the chain, and have no hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchained_until: Option<Id>,
    /// Whoever died leaving events without a checkpoint was looked for up to this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_millis: Option<i64>,
    /// The key was lost with which checkpoints up to this number were signed: from this one on there is another. It states
    /// how far all chains went at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_key_until: Option<i64>,
    /// With a lost key: the first event of each chain that still has it, hashed without the seed, which nobody can compute any
    /// more (see [`Record::alone`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_events: Vec<Head>,
}

impl Checkpoint {
    /// One that says nothing yet and follows another.
    pub fn after(last: Option<&Sealed>, at_millis: i64) -> Self {
        Self {
            format: CHECKPOINT_FORMAT,
            number: last.map_or(1, |last| last.number + 1),
            previous: last.and_then(|last| Hash::from_slice(&last.mac)),
            at_millis,
            heads: Vec::new(),
            pruned: Vec::new(),
            pruned_checkpoints: None,
            unchained_until: None,
            swept_millis: None,
            lost_key_until: None,
            first_events: Vec::new(),
        }
    }
}

/// A checkpoint as it is stored and exported: what is signed is the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub number: i64,
    pub at_millis: i64,
    pub body: String,
    pub mac: Vec<u8>,
}

impl Sealed {
    /// What it says, whoever signed it; `None` if that makes no sense to this version.
    pub fn read(&self) -> Option<Checkpoint> {
        serde_json::from_str(&self.body).ok().filter(|read: &Checkpoint| read.format == CHECKPOINT_FORMAT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{Clock, Rng};

    fn id() -> Id {
        Id::new(&Clock::system(), &Rng::system())
    }

    fn record(reason: Option<&'static str>, client_id: Option<&'static str>) -> Record<'static> {
        Record {
            writer: Id::from_bytes([1; 16]),
            sequence: 7,
            id: Id::from_bytes([2; 16]),
            at_millis: 9,
            kind: "token_issued",
            outcome: "success",
            reason,
            client_id,
            subject_hash: None,
            operator: None,
            address: Some("192.0.2.1"),
            request_id: None,
            detail: Some("{}"),
        }
    }

    #[test]
    fn no_two_records_are_encoded_alike() {
        let mut seen = std::collections::HashSet::new();
        let mut buffer = Vec::new();
        for record in [
            record(None, None),
            record(Some(""), None),
            record(None, Some("")),
            record(Some("ab"), Some("c")),
            record(Some("a"), Some("bc")),
            Record { sequence: 8, ..record(None, None) },
            Record { at_millis: 10, ..record(None, None) },
        ] {
            assert!(seen.insert(record.link(&[0; 32], &mut buffer)), "{record:?}");
            assert!(seen.insert(record.link(&[1; 32], &mut buffer)), "{record:?}");
        }
    }

    /// The encoding is a promise: an export of today is verified by a version of tomorrow.
    #[test]
    fn the_encoding_stays_what_it_is() {
        let hash = record(Some("why"), Some("app")).link(&[3; 32], &mut Vec::new());
        assert_eq!(hex(&hash), "6c540d7826819e8e0aecf1e39d059a708aac50717d81ebfbb5263b4caee70f90");
    }

    #[test]
    fn a_checkpoint_opens_under_its_own_key_and_text_alone() {
        let key = ChainKey::new(&[7; 32]);
        let head = Head { writer: id(), sequence: 3, hash: Hash([4; 32]), stage: Stage::Ended };
        let checkpoint = Checkpoint { heads: vec![head], ..Checkpoint::after(None, 5) };
        let sealed = key.seal(&checkpoint);
        assert_eq!(key.open(&sealed), Some(checkpoint));
        assert_eq!(ChainKey::new(&[8; 32]).open(&sealed), None);
        for changed in [
            Sealed { body: sealed.body.replace("\"sequence\":3", "\"sequence\":2"), ..sealed.clone() },
            Sealed { number: 2, ..sealed.clone() },
            Sealed { at_millis: 6, ..sealed.clone() },
        ] {
            assert_eq!(key.open(&changed), None);
        }
        assert_eq!(Checkpoint::after(Some(&sealed), 6).previous, Hash::from_slice(&sealed.mac));
    }

    #[test]
    fn each_writer_has_a_seed_of_its_own() {
        let (one, other) = (id(), id());
        let key = ChainKey::new(&[7; 32]);
        assert_eq!(key.seed(one), key.seed(one));
        assert_ne!(key.seed(one), key.seed(other));
        assert_ne!(key.seed(one), ChainKey::new(&[8; 32]).seed(one));
        assert!(!format!("{key:?}").contains('7'));
    }

    /// What hashing costs for each event. A bound for a build without optimisation; `--nocapture` prints the figure.
    #[test]
    fn hashing_an_event_costs_microseconds() {
        const EVENTS: u32 = 20_000;
        let detail = r#"{"scope":"openid profile email offline_access orders:read orders:write"}"#;
        let record = Record {
            detail: Some(detail),
            request_id: Some("0197a7f0-0000-7000-8000-000000000000"),
            ..record(None, Some("lwc_0123456789abcdef01234567"))
        };
        let (mut buffer, mut hash) = (Vec::new(), [0; 32]);
        let begin = std::time::Instant::now();
        for _ in 0..EVENTS {
            hash = record.link(&hash, &mut buffer);
        }
        let each = begin.elapsed() / EVENTS;
        println!("one link of the audit chain: {each:?} for {} bytes", buffer.len());
        assert!(each < std::time::Duration::from_micros(50), "{each:?}");
    }
}
