//! A notice as JSON, signed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::HeaderValue;
use serde::Serialize;
use sha2::Sha256;

use super::{
    error::Fault,
    http::{Address, Client, Post},
};
use crate::{
    model::{Digest, Sensitive, hex},
    sync::{Notice, Turn},
};

/// The form of what is posted. The first number changes when something is taken away or means something else.
const FORMAT: &str = "1.0";

#[derive(Serialize)]
struct Body<'a> {
    format_version: &'static str,
    #[serde(flatten)]
    notice: &'a Notice,
}

/// Posts a notice. `now` is in seconds since 1970.
pub(super) async fn deliver(
    client: &Client,
    address: &Address,
    secret: Option<&Sensitive>,
    notice: &Notice,
    now: i64,
) -> Result<(), Fault> {
    let body = serde_json::to_vec(&Body { format_version: FORMAT, notice })
        .map_err(|error| Fault::lasting(error.to_string(), None))?;
    let mut headers = vec![
        ("x-nself-delivery", plain(id(notice))),
        ("x-nself-timestamp", HeaderValue::from(now)),
    ];
    if let Some(secret) = secret {
        let signature = signature(secret, now, &body);
        headers.push(("x-nself-signature-256", plain(format!("sha256={signature}"))));
    }
    client.post(Post { address, headers, body }).await
}

/// Returns what is the same for every try to deliver a notice, and for no other notice.
pub(super) fn id(notice: &Notice) -> String {
    let turn = match notice.turn {
        Turn::Begun => "begun",
        Turn::Over => "over",
        Turn::Flapping => "flapping",
    };
    let at = notice.at.to_string();
    let parts = [notice.project.as_str(), &notice.key, turn, &at];
    Digest::of_parts(parts.map(str::as_bytes)).as_str()[..32].to_owned()
}

/// Signs the time and the body together, so that an old one cannot be sent again with a new time.
fn signature(secret: &Sensitive, now: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(format!("{now}.").as_bytes());
    mac.update(body);
    hex(&mac.finalize().into_bytes())
}

fn plain(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("hexadecimal digits are no obstacle")
}
