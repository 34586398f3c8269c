//! Asking a loop that runs, over its socket.

use std::path::{Path, PathBuf};

use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use crate::engine::Holder;

use super::{
    super::{Context, Error, Exit},
    home::Home,
};

/// Let the loop do what it holds
///
/// What would destroy something is held until somebody releases it by name. `nself status` lists what is.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself approve remove:volume/shop-search-data")]
pub(in crate::cli) struct ApproveArgs {
    /// What, as it was shown
    release: String,
    #[command(flatten)]
    home: HomeArg,
}

/// Let the loop try a quarantined commit again
#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArgs {
    #[command(flatten)]
    home: HomeArg,
}

/// Look now
#[derive(Debug, Args)]
pub(super) struct NowArgs {
    #[command(flatten)]
    home: HomeArg,
}

/// Change nothing until told to go on
#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// Why; everybody is shown it
    why: String,
    #[command(flatten)]
    home: HomeArg,
}

/// Go on
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    home: HomeArg,
}

/// Which loop is meant.
#[derive(Debug, Args)]
struct HomeArg {
    /// The loop's folder
    #[arg(long, value_name = "FOLDER", env = "NSELF_STATE", hide_env_values = true)]
    state: Option<PathBuf>,
}

pub(in crate::cli) async fn approve(args: &ApproveArgs, context: &Context) -> Result<Exit, Error> {
    // A typing mistake is said here, and not found in the loop's log.
    let release: crate::plan::Release = args.release.parse()?;
    let body = json!({ "release": release.to_string() });
    ask(&args.home, "approve", body, "the loop does it next", context).await
}

pub(in crate::cli) async fn retry(args: &RetryArgs, context: &Context) -> Result<Exit, Error> {
    ask(&args.home, "retry", json!({}), "the loop tries it again", context).await
}

pub(super) async fn now(args: &NowArgs, context: &Context) -> Result<Exit, Error> {
    ask(&args.home, "look", json!({}), "the loop looks", context).await
}

pub(super) async fn pause(args: &PauseArgs, context: &Context) -> Result<Exit, Error> {
    let body = json!({ "why": args.why });
    ask(&args.home, "pause", body, "the loop changes nothing until: nself watch resume", context)
        .await
}

pub(super) async fn resume(args: &ResumeArgs, context: &Context) -> Result<Exit, Error> {
    ask(&args.home, "resume", json!({}), "the loop goes on", context).await
}

async fn ask(
    home: &HomeArg,
    what: &str,
    mut body: Value,
    done: &str,
    context: &Context,
) -> Result<Exit, Error> {
    let home = Home::find(home.state.as_deref(), context)?;
    let who = Holder::this_process().unwrap_or_default();
    body["who"] = Value::from(who.user);
    post(&home.socket(), &format!("/api/{what}"), &body).await?;
    context.ui.remark(&format!("{done}\n"));
    Ok(Exit::Done)
}

/// Sends one request, and insists on a good answer.
async fn post(socket: &Path, path: &str, body: &Value) -> Result<(), Error> {
    let stream = UnixStream::connect(socket).await.map_err(|error| {
        let attempt = format!("cannot reach the loop at {}", socket.display());
        Error::of(Exit::Failed, &error)
            .attempting(&attempt)
            .remedy("is it running? nself watch starts it")
    })?;
    let lost =
        |error: hyper::Error| Error::of(Exit::Failed, &error).attempting("the loop did not answer");
    let (mut sender, line) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let line = tokio::spawn(line);
    let request = Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a path and a JSON text make a request");
    let answer = sender.send_request(request).await.map_err(lost)?;
    let status = answer.status();
    let text = answer.into_body().collect().await.map_err(lost)?.to_bytes();
    line.abort();
    if status.is_success() {
        return Ok(());
    }
    let detail = serde_json::from_slice::<Value>(&text).ok();
    let detail = detail.and_then(|detail| Some(detail.get("detail")?.as_str()?.to_owned()));
    let detail = detail.unwrap_or_else(|| status.to_string());
    Err(Error::new(Exit::Failed, format!("the loop refused: {detail}")))
}
