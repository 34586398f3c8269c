//! Mistakes within one service.

use std::collections::BTreeMap;

use crate::{
    catalog::ImageSource,
    model::{
        Diagnostic, Origin, ServiceName,
        decode::{Sourced, suggest},
    },
    spec::{DEFAULT_NETWORK, InsidePath, ObjectName, RestartRule, Service, Settings, Spec},
};

/// Adds everything that is wrong with `service` by itself.
pub(super) fn check(
    spec: &Spec,
    name: &ServiceName,
    service: &Service,
    problems: &mut Vec<Diagnostic>,
) {
    image(name, service, problems);
    version(spec, service, problems);
    external(name, service, problems);
    if service.kind().is_job {
        job(service, problems);
    }
    replicas(name, service, problems);
    mounts(&service.settings, problems);
    networks(spec, service, problems);
    limits(&service.settings, problems);
    length(spec, name, service, problems);
    problems.extend(service.options.check(&spec.context(name, service)));
}

fn image(name: &ServiceName, service: &Service, problems: &mut Vec<Diagnostic>) {
    let Settings { image, build, .. } = &service.settings;
    if let (Some(image), Some(build)) = (image, build) {
        problems.push(
            Diagnostic::error("image-and-build", format!("`{name}` has both an image and a build"))
                .at(&build.origin, "builds an image")
                .at(&image.origin, "names another")
                .help("remove one of them"),
        );
    }
}

fn version(spec: &Spec, service: &Service, problems: &mut Vec<Diagnostic>) {
    let kind = service.kind();
    let releases: Vec<_> = kind.releases.iter().map(|release| release.version).collect();
    let written = service.settings.version.as_ref();
    if let Some(version) = written
        && !releases.contains(&version.value.as_str())
    {
        let problem = if releases.is_empty() {
            let message = format!("a {} has no version of its own", kind.name);
            Diagnostic::error("unknown-version", message)
                .at(&version.origin, "")
                .help("the version of an image is its tag")
        } else {
            let message = format!("{} {} is not known", kind.name, version.value);
            Diagnostic::error("unknown-version", message)
                .at(&version.origin, format!("known: {}", releases.join(", ")))
        };
        problems.push(problem);
        return;
    }
    if kind.image.is_none()
        || !service.has_image_of_kind()
        || spec.image_source() == ImageSource::Registry
    {
        return;
    }
    let place = written.map_or(&service.origin, |version| &version.origin);
    let version = spec.version(service);
    let (message, help) = match &kind.recipe {
        Some(recipe) if recipe.version == version => return,
        Some(recipe) => (
            format!("there is no recipe that builds {} {version}", kind.name),
            format!("build version = \"{}\", or give the service an `image`", recipe.version),
        ),
        None => (
            format!("there is no recipe that builds {}", kind.name),
            "give the service an `image` or a `build` of your own".to_owned(),
        ),
    };
    let problem = Diagnostic::error("no-recipe", message).at(place, "").help(help);
    problems.push(match &spec.images.source {
        Some(source) => problem.at(&source.origin, "no image registry is asked"),
        None => problem,
    });
}

fn external(name: &ServiceName, service: &Service, problems: &mut Vec<Diagnostic>) {
    let Settings { external, url, image, build, route, publish, replicas, watch, .. } =
        &service.settings;
    let Some(external) = external.as_ref().filter(|external| external.value) else {
        if let Some(url) = url {
            let message = format!("`{name}` has a `url` and is not external");
            problems.push(
                Diagnostic::error("url-not-external", message)
                    .at(&url.origin, "")
                    .help("add external = true, or remove the url"),
            );
        }
        return;
    };
    if service.kind().is_job {
        let problem = Diagnostic::error("bad-job", "a job cannot be external");
        problems.push(problem.at(&external.origin, ""));
    } else if url.is_none() {
        let message = format!("`{name}` is external and has no `url`");
        problems.push(
            Diagnostic::error("external-without-url", message)
                .at(&external.origin, "")
                .help("say where it is: url = \"postgres://app:${secret.db}@db.example.com/app\""),
        );
    }
    let meaningless = [
        ("image", image.as_ref().map(|it| &it.origin)),
        ("build", build.as_ref().map(|it| &it.origin)),
        ("route", route.as_ref().map(|it| &it.origin)),
        ("publish", publish.first().map(|it| &it.origin)),
        ("replicas", replicas.as_ref().map(|it| &it.origin)),
        ("watch", watch.as_ref().map(|it| &it.origin)),
    ];
    for (key, origin) in meaningless {
        if let Some(origin) = origin {
            let message = format!("`{key}` means nothing for an external service");
            let problem = Diagnostic::error("external-with", message);
            problems.push(problem.at(origin, "").at(&external.origin, "it runs elsewhere"));
        }
    }
}

fn job(service: &Service, problems: &mut Vec<Diagnostic>) {
    let Settings { route, replicas, restart, .. } = &service.settings;
    let mut refuse = |message: &str, origin: &Origin| {
        problems.push(Diagnostic::error("bad-job", message).at(origin, ""));
    };
    if let Some(route) = route {
        refuse("a job has no route: it is gone when somebody comes", &route.origin);
    }
    if let Some(replicas) = replicas.as_ref().filter(|replicas| replicas.value > 1) {
        refuse("a job runs once", &replicas.origin);
    }
    if let Some(restart) = restart
        && matches!(restart.value, RestartRule::Always | RestartRule::UnlessStopped)
    {
        refuse("a job that ended well is not started again", &restart.origin);
    }
}

fn replicas(name: &ServiceName, service: &Service, problems: &mut Vec<Diagnostic>) {
    let Settings { replicas, publish, hostname, .. } = &service.settings;
    let Some(replicas) = replicas.as_ref().filter(|replicas| replicas.value > 1) else { return };
    if let Some(publish) = publish.first() {
        let message = format!("{} containers cannot have one port of the host", replicas.value);
        problems.push(
            Diagnostic::error("port-twice", message)
                .at(&publish.origin, "published")
                .at(&replicas.origin, "")
                .help("give the service a `route` instead: the gateway spreads the requests"),
        );
    }
    if let Some(hostname) = hostname {
        let message = format!("all containers of `{name}` would have one host name");
        let problem = Diagnostic::warning("hostname-twice", message);
        problems.push(problem.at(&hostname.origin, "").at(&replicas.origin, ""));
    }
}

fn mounts(settings: &Settings, problems: &mut Vec<Diagnostic>) {
    let Settings { volumes, binds, tmpfs, .. } = settings;
    let volumes = volumes.values().flat_map(|volume| &volume.value.0);
    let volumes = volumes.map(|target| (&target.value.path, &target.origin));
    let binds = binds.iter().map(|(path, bind)| (path, &bind.origin));
    let tmpfs = tmpfs.iter().map(|(path, options)| (path, &options.origin));
    let mut seen: BTreeMap<&InsidePath, &Origin> = BTreeMap::new();
    for (path, origin) in volumes.chain(binds).chain(tmpfs) {
        match seen.get(path) {
            Some(first) => problems.push(
                Diagnostic::error("mount-twice", format!("two things are mounted at `{path}`"))
                    .at(origin, "the second")
                    .at(first, "the first"),
            ),
            None => _ = seen.insert(path, origin),
        }
    }
}

fn networks(spec: &Spec, service: &Service, problems: &mut Vec<Diagnostic>) {
    let Some(networks) = &service.settings.networks else { return };
    if networks.value.0.is_empty() {
        let problem = Diagnostic::error("empty", "a service is on at least one network");
        problems.push(problem.at(&networks.origin, "").help("leave the key out for `default`"));
    }
    for (name, place) in &networks.value.0 {
        let rule = spec.networks.get(name);
        if rule.is_none() && name.as_str() != DEFAULT_NETWORK {
            let known = spec.networks.keys().map(ObjectName::as_str).chain([DEFAULT_NETWORK]);
            let message = format!("there is no network `{name}`");
            let problem = Diagnostic::error("unknown-network", message);
            problems.push(match suggest(name.as_str(), known) {
                Some(near) => problem.at(&place.origin, format!("did you mean `{near}`?")),
                None => problem.at(&place.origin, "").help(format!("add it: [networks.{name}]")),
            });
        }
        let has_subnet =
            rule.is_some_and(|rule| rule.subnet.is_some() || is_true(rule.external.as_ref()));
        if let Some(address) = place.value.address.as_ref().filter(|_| !has_subnet) {
            let message = format!("`{name}` has no `subnet`, so no address on it can be fixed");
            let problem = Diagnostic::error("no-subnet", message).at(&address.origin, "");
            problems.push(problem.help(format!("say [networks.{name}] subnet = \"10.5.0.0/16\"")));
        }
    }
}

fn is_true(flag: Option<&Sourced<bool>>) -> bool {
    flag.is_some_and(|flag| flag.value)
}

/// The engine refuses less.
const LEAST_MEMORY: u64 = 6 << 20;
/// With less the engine makes a container and cannot start it; 0 is its default.
const FEWEST_SHARES: u32 = 2;

fn limits(settings: &Settings, problems: &mut Vec<Diagnostic>) {
    let Some(limits) = &settings.limits else { return };
    let size = |size: &Option<Sourced<_>>| size.clone();
    let (memory, reservation) = (size(&limits.memory), size(&limits.reservation));
    for size in [&memory, &reservation].into_iter().flatten() {
        if size.value.0 < LEAST_MEMORY {
            let problem = Diagnostic::error("out-of-range", "a container needs 6M of memory");
            problems.push(problem.at(&size.origin, "less than 6M"));
        }
    }
    if let (Some(memory), Some(reservation)) = (memory, reservation)
        && reservation.value > memory.value
    {
        let problem = Diagnostic::error("out-of-range", "more memory is kept than may be used");
        problems.push(problem.at(&reservation.origin, "kept").at(&memory.origin, "may be used"));
    }
    if let Some(shares) = limits.cpu_shares.as_ref().filter(|shares| shares.value < FEWEST_SHARES) {
        let problem = Diagnostic::error("out-of-range", "a container needs 2 processor shares");
        let problem = problem.at(&shares.origin, "less than 2");
        problems.push(problem.help("without `cpu_shares` it has 1024, as all others"));
    }
}

/// Host names, and with them the names of containers, have at most this many characters (RFC 1035).
const LONGEST_NAME: usize = 63;

fn length(spec: &Spec, name: &ServiceName, service: &Service, problems: &mut Vec<Diagnostic>) {
    let longest = spec.container_name(name, service).len()
        + match service.replicas() {
            0 | 1 => 0,
            many => 1 + many.to_string().len(),
        };
    if longest > LONGEST_NAME && !service.is_external() {
        let message = format!(
            "the container's name would have {longest} characters; {LONGEST_NAME} is the most"
        );
        problems.push(
            Diagnostic::error("name-too-long", message)
                .at(&service.origin, format!("{}-{name}", spec.prefix()))
                .help("shorten the name of the project, the instance or the service"),
        );
    }
}
