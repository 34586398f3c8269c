//! Having images: pulled, or built.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use bollard::query_parameters::{
    BuildImageOptions, CreateImageOptionsBuilder, RemoveImageOptions, TagImageOptionsBuilder,
};
use futures_util::StreamExt as _;
use hyper::body::Bytes;
use tokio::sync::mpsc;

use super::{Docker, context, refusal};
use crate::{
    desired::{Build, BuildContext},
    engine::{Error, Refusal},
    model::ImageRef,
    observed::label,
};

/// Lines of a failed build that are shown: enough for the step and what it printed last.
const LAST_LINES: usize = 30;
/// A context goes to the engine in pieces of this size; a few of them wait for it.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 8;
/// A build answers when its first step begins, which is after the whole context has arrived.
const ARRIVAL: std::time::Duration = std::time::Duration::from_hours(1);

impl Docker {
    pub(super) async fn pull(&self, image: &ImageRef, from: &ImageRef) -> Result<(), Error> {
        let what = || format!("pull {from}");
        // An empty tag would pull all of them; with a digest the whole reference is the image.
        let mut options = CreateImageOptionsBuilder::new();
        let whole = from.to_string();
        options = match from.tag() {
            Some(tag) => options.from_image(from.repository()).tag(tag),
            None => options.from_image(&whole),
        };
        let mut answers = self.api.create_image(Some(options.build()), None, None);
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(|error| self.refused(what(), &error))?;
            let Some(status) = answer.status else { continue };
            let bytes = answer.progress_detail.and_then(|it| Some((it.current?, it.total?)));
            let layer = answer.id.map(|id| format!("{id}: ")).unwrap_or_default();
            let line = match bytes {
                Some((done, all)) => format!("{layer}{status} {done}/{all}"),
                None => format!("{layer}{status}"),
            };
            self.tell(&image.to_string(), &line);
        }
        if image == from {
            return Ok(());
        }
        // An image given by digest has no tag to give; it is used as it was pulled.
        let Some(tag) = image.tag() else {
            let why = "an image given by its digest cannot be given another name";
            return Err(self.refusal(what(), Refusal::Unsupported, why));
        };
        let options = TagImageOptionsBuilder::new().repo(image.repository()).tag(tag).build();
        let tagged = self.api.tag_image(&whole, Some(options)).await;
        tagged.map_err(|error| self.refused(format!("tag {from} as {image}"), &error))
    }

    pub(super) async fn build(&self, image: &ImageRef, build: &Build) -> Result<(), Error> {
        let Build { context, digest, args, effort: _ } = build;
        let (what, dockerfile, target) = match context {
            BuildContext::Folder { path, dockerfile, target } => {
                let place = path.join(dockerfile);
                let what = format!("the build of {image} from {}", place.display());
                (what, dockerfile.clone(), target.clone().unwrap_or_default())
            }
            BuildContext::Recipe(_) => {
                (format!("the build of {image}"), "Dockerfile".to_owned(), String::new())
            }
        };
        let options = BuildImageOptions {
            dockerfile,
            t: Some(image.to_string()),
            // Layers of failed steps are of no use to anybody.
            rm: true,
            forcerm: true,
            buildargs: Some(super::create::owned(args)),
            labels: Some([(label::BUILT_FROM.to_owned(), digest.to_string())].into()),
            target,
            ..BuildImageOptions::default()
        };
        let (archive, packing) = stream_archive(context.clone());
        let api = self.api.clone().with_timeout(ARRIVAL);
        let mut answers = api.build_image(options, None, Some(bollard::body_try_stream(archive)));
        let mut last = VecDeque::new();
        let mut failure = None;
        while let Some(answer) = answers.next().await {
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            let text = answer.stream.or(answer.status).unwrap_or_default();
            for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
                self.tell(&image.to_string(), line);
                last.push_back(line.to_owned());
                if last.len() > LAST_LINES {
                    last.pop_front();
                }
            }
        }
        let packed = packing.await.map_err(io::Error::other).and_then(|packed| packed);
        let Some(error) = failure else {
            return packed.map_err(|error| self.failed_to_pack(&what, &error));
        };
        if let Err(packing) = packed
            && packing.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(self.failed_to_pack(&what, &packing));
        }
        match self.refused(format!("build {image}"), &error) {
            // The step failed; what it printed says why.
            Error::Refused { cause, kind, .. } if kind != Refusal::DiskFull => {
                last.push_back(cause.0);
                let output: Vec<String> = last.into();
                Err(Error::Failed { what, output: self.keyring().scrub(&output.join("\n")) })
            }
            other => Err(other),
        }
    }

    pub(super) async fn remove_image(&self, image: &str) -> Result<(), Error> {
        let removed = self.api.remove_image(image, None::<RemoveImageOptions>, None).await;
        refusal::found(removed)
            .map(drop)
            .map_err(|error| self.refused(format!("remove the image {image}"), &error))
    }

    fn failed_to_pack(&self, what: &str, error: &io::Error) -> Error {
        let output = self.keyring().scrub(&format!("the context cannot be read: {error}"));
        Error::Failed { what: what.to_owned(), output }
    }
}

/// Packs a context while it is being sent, so that no context has to fit into memory.
fn stream_archive(
    context: BuildContext,
) -> (
    impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static,
    tokio::task::JoinHandle<io::Result<()>>,
) {
    let (sender, receiver) = mpsc::channel(PIECES);
    let packing = tokio::task::spawn_blocking(move || {
        let broken = sender.clone();
        let packed = context::pack(&context, io::BufWriter::with_capacity(PIECE, Pieces(sender)));
        if let Err(error) = &packed {
            // An archive that just ends would be built as far as it goes.
            let error = io::Error::new(error.kind(), error.to_string());
            let _ = broken.blocking_send(Err(error));
        }
        packed
    });
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    (pieces, packing)
}

/// The near end of a body that is being sent.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
