//! Having images.

use std::collections::BTreeMap;

use nself::{
    desired::{Build, BuildContext},
    engine::{Engine, Error, Refusal},
    model::Digest,
    plan::Op,
};

use super::{IMAGE, make, refused, request, run};

fn recipe(dockerfile: &str) -> Build {
    let files = [("Dockerfile", dockerfile), ("bin/hello", "#!/bin/sh\necho hello $WHO\n")];
    let files = files.map(|(path, content)| (path.to_owned(), content.to_owned()));
    Build {
        context: BuildContext::Recipe(files.into()),
        digest: Digest::of(dockerfile.as_bytes()),
        args: BTreeMap::from([("WHO".to_owned(), "world".to_owned())]),
        effort: String::new(),
    }
}

pub async fn a_build_is_labelled_and_used<E: Engine>(engine: &E, prefix: &str) {
    let image = format!("{prefix}/hello:1");
    let build = recipe(&format!(
        "FROM {IMAGE}\nARG WHO\nENV WHO=$WHO\nCOPY bin/hello /usr/bin/\nRUN test \"$(hello)\" = \"hello world\"\n"
    ));
    let op = Op::Build { image: image.parse().unwrap(), build: build.clone() };
    super::twice(engine, op).await;
    let mut request = request(prefix);
    request.images.insert(image.parse().unwrap());
    let seen = engine.observe(&request).await.unwrap();
    assert_eq!(seen.images[&image].built_from, Some(build.digest.to_string()));
    assert_eq!(seen.images[IMAGE].built_from, None);
    assert!(seen.images[&image].size > 0);
    assert!(seen.image_defaults.contains_key(&seen.images[&image].id));
    let own = seen.own_images.iter().find(|own| own.tags.contains(&image)).unwrap();
    assert!(!own.used && own.created > 0, "{own:?}");
    super::twice(engine, Op::RemoveImage { image: image.clone() }).await;
    assert!(!engine.observe(&request).await.unwrap().images.contains_key(&image));
}

pub async fn a_failed_build_says_where<E: Engine>(engine: &E, prefix: &str) {
    let build = recipe(&format!("FROM {IMAGE}\nRUN echo this is why; exit 7\n"));
    let image = format!("{prefix}/fails:1").parse().unwrap();
    match engine.execute(&Op::Build { image, build }).await {
        Err(Error::Failed { output, .. }) => {
            assert!(output.contains("RUN echo this is why"), "{output}");
            assert!(output.contains("\nthis is why\n"), "{output}");
            assert!(output.contains('7'), "{output}");
        }
        other => panic!("{other:?}"),
    }
}

pub async fn a_missing_image_is_refused<E: Engine>(engine: &E, prefix: &str) {
    let mut container = make::sleeper(&format!("{prefix}-a"));
    container.image = format!("{prefix}/none:1").parse().unwrap();
    assert_eq!(refused(engine, make::creation(prefix, &container)).await, Refusal::ImageMissing);
    let mut request = request(prefix);
    request.images.insert(container.image);
    assert_eq!(engine.observe(&request).await.unwrap().images.len(), 1);
    run(engine, Op::RemoveContainer(super::named(&container.name))).await;
}
