//! The system under test with what has to stay true of it, on any ground.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use nself::{
    controller::{self, Error, Goal, Options, Pass, Report, Wait},
    engine::{self, ReadOnly},
    model::{ResourceId, ServiceName},
    plan::{Op, Outcome, Plan, Policy, Release},
};
use tokio_util::sync::CancellationToken;

use super::{
    file::{File, Name},
    ground::{Doing, Ground, Look, Seen, Whose, allows},
    rig::Rig,
    story::{Act, Aim, Fate, State, Transition, Way},
};

pub(super) struct System<G> {
    ground: G,
    file: File,
    down: bool,
    ledger: Ledger,
}

/// What is known to be true, because it was seen to come true.
#[derive(Default)]
struct Ledger {
    /// What each data volume holds: its identity, and what was written into it last.
    kept: BTreeMap<String, (String, Option<String>)>,
    /// Everything of others, each with all that can be seen of it.
    strangers: BTreeMap<String, String>,
    /// The services that a person stopped with nself.
    stopped: BTreeSet<Name>,
    /// Whether somebody has touched the engine since a pass came to its end with nothing left, or one was
    /// cut off: of what that leaves, some is told as somebody else's doing.
    touched: bool,
}

/// What came of a pass.
enum Came {
    Ended(Box<Report>),
    Refused(Error),
    /// Nobody is left to say.
    Nothing,
}

impl<G: Ground> System<G> {
    pub(super) fn new(state: &State) -> Self {
        let ledger = Ledger::default();
        Self { ground: G::new(), file: state.file.clone(), down: state.down, ledger }
    }

    pub(super) fn happen(&mut self, state: &State, transition: &Transition) {
        self.file.clone_from(&state.file);
        match transition {
            Transition::Edit(_) => {}
            Transition::EngineDown | Transition::EngineUp => {
                self.down = state.down;
                self.ground.set_down(self.down);
            }
            Transition::Act(act) => self.act(act),
            Transition::Plan => self.plan_writes_nothing(),
            Transition::Pass(way) => self.pass(way),
            Transition::Both { turns, waits } => self.both(*turns, *waits),
        }
    }

    /// Whatever happens, these stay true.
    pub(super) fn check(&self) {
        let look = self.ground.look();
        for (name, (id, word)) in &self.ledger.kept {
            let Some(volume) = look.volumes.get(name) else { panic!("{name} is lost") };
            assert_eq!(volume.id, *id, "{name} is another one");
            if let (Some(word), Some(there)) = (word, &volume.word) {
                assert_eq!(word, there, "{name} holds something else");
            }
        }
        let strangers = self.strangers();
        for (name, how) in &self.ledger.strangers {
            assert_eq!(strangers.get(name), Some(how), "{name} is not ours");
        }
        if !self.down {
            self.remembers(&look);
        }
    }

    /// At the end of a story all of it is brought to where the file says, and nothing tells that anything
    /// ever happened.
    pub(super) fn end(&mut self) {
        if self.down {
            self.down = false;
            self.ground.set_down(false);
        }
        self.act(&Act::StrangersGo);
        // What was held by another one's name is only seen once that is out of the way.
        let way = Way { aim: Aim::Apply, release: true, fate: Fate::Lives };
        let mut plan = self.plan();
        for _ in 0..3 {
            self.pass(&way);
            self.check();
            plan = self.plan();
            if plan.is_empty() {
                break;
            }
        }
        if !plan.is_empty() {
            // What is stopped goes on using what the file does not name, and says so.
            let is_used = |(id, why): (&ResourceId, &String)| {
                matches!(id, ResourceId::Volume(_)) && why.contains("which is stopped, uses it")
            };
            let is_stuck = plan.steps.is_empty() && plan.held.is_empty();
            let is_stuck = is_stuck && plan.blocked.iter().all(is_used);
            assert!(is_stuck || self.may_fail(), "it does not come to its end: {}", gist(&plan));
            return;
        }
        if self.may_fail() {
            // Stopped, it is not seen to fail.
            return;
        }
        let Some(fresh) = self.ground.fresh(&self.file, &self.ledger.stopped) else { return };
        let mut is = self.ground.everything_named();
        // A stopped container that is not there is not made to be stopped, and a job that is done does
        // not come back.
        let look = self.ground.look();
        for (name, service) in &self.file.0 {
            let container = self.ground.naming().container(*name);
            let may_lack = service.job || self.ledger.stopped.contains(name);
            let picture = format!("container {container}");
            if self.ledger.stopped.contains(name) {
                for seen in look.claimants(&ResourceId::Container(container.clone())) {
                    is.remove(&format!("container {}", seen.name));
                }
            }
            if may_lack && (look.at(&container).is_none() || self.ledger.stopped.contains(name)) {
                is.remove(&picture);
                is.extend(fresh.get(&picture).map(|how| (picture, how.clone())));
            }
        }
        let wrong = crate::crash::difference(&is, &fresh);
        assert!(wrong.is_empty(), "not as on an empty engine: {wrong:#?}");
    }

    fn act(&mut self, act: &Act) {
        let before = self.ground.everything();
        self.ground.act(act);
        let after = self.ground.everything();
        if before == after && !matches!(act, Act::Write(..)) {
            return;
        }
        self.ledger.touched |= !matches!(act, Act::Write(..));
        let look = self.ground.look();
        self.ledger.strangers = self.strangers();
        match act {
            Act::RemoveVolume(name, keeps) => {
                let volume = self.ground.naming().volume(*name, *keeps);
                if !look.volumes.contains_key(&volume) {
                    self.ledger.kept.remove(&volume);
                }
            }
            Act::StrangersGo => {
                self.ledger.kept.retain(|name, _| look.volumes.contains_key(name));
            }
            Act::Write(name, word) => {
                let seen = look.at(&self.ground.naming().container(*name));
                let seen = seen.filter(|seen| seen.doing == Doing::Runs);
                let volume = seen.and_then(|seen| seen.data.as_ref());
                if let Some(volume) = volume
                    && let Some(kept) = look.volumes.get(volume)
                {
                    let word = Some(word.to_string());
                    self.ledger.kept.insert(volume.clone(), (kept.id.clone(), word));
                }
            }
            Act::Forget => {
                // Only the record knows what a person stopped, and what was adopted.
                self.ledger.stopped.clear();
            }
            _ => {}
        }
    }

    fn plan(&self) -> Plan {
        self.planned(&Options::default()).unwrap_or_else(|error| panic!("{error:?}")).plan
    }

    fn planned(&self, options: &Options) -> Result<Pass, Error> {
        let project = self.ground.read(&self.file);
        let engine = ReadOnly::new(self.ground.connect(&project)?);
        self.ground.run(controller::plan(&engine, &project, options, false))
    }

    fn plan_writes_nothing(&self) {
        let before = self.ground.everything();
        let planned = self.planned(&Options::default());
        assert_eq!(self.ground.everything(), before, "a plan wrote something");
        if self.down {
            insist_on_unreachable(&planned.err());
            return;
        }
        let plan = planned.unwrap_or_else(|error| panic!("{error:?}")).plan;
        self.nobody_is_blamed(&plan);
    }

    /// Where nobody touched the engine, no change is somebody else's.
    fn nobody_is_blamed(&self, plan: &Plan) {
        if self.ledger.touched {
            return;
        }
        let drift = plan.changes.changes.iter().filter(|change| change.is_drift());
        let drift: Vec<String> = drift.map(|change| format!("{change:?}")).collect();
        assert!(drift.is_empty(), "nobody did that: {drift:#?}");
    }

    fn options(&self, way: &Way) -> Options {
        let services = |names: &BTreeSet<Name>| {
            names.iter().map(|name| ServiceName::new(name.text()).unwrap()).collect()
        };
        let mut options = Options::default();
        match &way.aim {
            Aim::Apply => {}
            Aim::Stop(names) => options.goal = Goal::Suspend(services(names)),
            Aim::Start(names) => options.goal = Goal::Resume(services(names)),
            Aim::Restart(names) => options.goal = Goal::Restart(services(names)),
            Aim::Destroy => options.destroy = true,
        }
        options
    }

    fn pass(&mut self, way: &Way) {
        let mut options = self.options(way);
        let before = self.ground.look();
        if way.release && !self.down {
            let plan = self.planned(&options).unwrap_or_else(|error| panic!("{error:?}")).plan;
            let allow = plan.held.into_iter().map(|held| held.release).collect();
            options.policy = Policy { allow };
        }
        let agreed = Mutex::new(Vec::new());
        let came = self.carry_out(&options, way.fate, &agreed);
        let look = self.ground.look();
        let agreed = agreed.into_inner().unwrap();
        if self.down {
            let Came::Refused(error) = came else { panic!("nobody was there to do it") };
            insist_on_unreachable(&Some(error));
            assert_eq!(look, before);
            return;
        }
        if let Some(pass) = agreed.first() {
            self.nobody_is_blamed(&pass.plan);
        }
        self.let_go(&options.policy.allow, &look);
        let plans = agreed.iter().map(|pass| &pass.plan);
        match came {
            Came::Nothing => {
                untouched(plans, &before, &look);
                self.ledger.touched = true;
            }
            Came::Refused(error) => {
                let is_lost = matches!(way.fate, Fate::LosesEngine { .. });
                assert!(is_lost && is_unreachable(&error), "{error:?}");
                untouched(plans, &before, &look);
                self.ledger.touched = true;
            }
            Came::Ended(report) => {
                let passes = report.passes.iter().map(|(plan, _)| plan);
                untouched(plans.chain(passes), &before, &look);
                let lost = matches!(way.fate, Fate::LosesEngine { .. });
                assert!(
                    lost || stays_locked(&before, &report) || !look.is_locked,
                    "the lock is left over"
                );
                self.brought_back(&report, &before, &look);
                if let Aim::Stop(_) = way.aim {
                    let was = |seen: &Seen| before.containers.iter().any(|was| was.id == seen.id);
                    assert!(look.containers.iter().all(was), "stopping made something");
                }
                if is_complete(&report) {
                    self.complete(way, &report, &look);
                } else {
                    assert!(lost || self.may_fail(), "it failed: {}", outcomes(&report));
                    self.ledger.touched = true;
                }
            }
        }
        if self.ledger_of_stopped_is_open(way) {
            self.learn_stopped(way, &look);
        }
        self.learn_kept(&look);
    }

    fn carry_out(&self, options: &Options, fate: Fate, agreed: &Mutex<Vec<Pass>>) -> Came {
        let mut project = self.ground.read(&self.file);
        let engine = match self.ground.connect(&project) {
            Ok(engine) => engine,
            Err(error) => return Came::Refused(error.into()),
        };
        let rig = Rig::new(&engine, fate, 0);
        let yes = async |pass: &Pass| {
            agreed.lock().unwrap().push(pass.clone());
            true
        };
        let quiet = |_: &_, _| {};
        let never = CancellationToken::new();
        let done = self.ground.run(async {
            let apply = controller::apply(&rig, &mut project, options, yes, &quiet, &never);
            tokio::select! {
                biased;
                done = apply => Some(done),
                () = rig.over.cancelled() => None,
            }
        });
        match done {
            None => Came::Nothing,
            Some(Ok(report)) => Came::Ended(Box::new(report.expect("nobody said no"))),
            Some(Err(error)) => Came::Refused(error),
        }
    }

    /// Two at once: one works and the other one does or is told who does.
    fn both(&mut self, turns: u64, waits: bool) {
        let before = self.ground.look();
        let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
        let longest = std::time::Duration::from_mins(10);
        let wait = waits.then_some(Wait { longest, tell });
        let options = Options { wait, ..Options::default() };
        let mut projects = [(); 2].map(|()| self.ground.read(&self.file));
        let engine = self.ground.connect(&projects[0]);
        let engine = engine.unwrap_or_else(|error| panic!("{error:?}"));
        let rigs = [turns, !turns].map(|turns| Rig::new(&engine, Fate::Lives, turns));
        let agreed = Mutex::new(Vec::new());
        let yes = async |pass: &Pass| {
            agreed.lock().unwrap().push(pass.plan.clone());
            true
        };
        let quiet = |_: &_, _| {};
        let never = CancellationToken::new();
        let [one, two] = &mut projects;
        let ended: [_; 2] = self
            .ground
            .run(async {
                tokio::join!(
                    controller::apply(&rigs[0], one, &options, yes, &quiet, &never),
                    controller::apply(&rigs[1], two, &options, yes, &quiet, &never),
                )
            })
            .into();
        let look = self.ground.look();
        let mut reports = ended.iter().flatten().flatten();
        let was_left = reports.all(|report| stays_locked(&before, report));
        assert!(was_left || !look.is_locked, "the lock is left over");
        let agreed = agreed.into_inner().unwrap();
        let passes = ended.iter().flatten().flatten().flat_map(|report| &report.passes);
        untouched(agreed.iter().chain(passes.map(|(plan, _)| plan)), &before, &look);
        let refused = ended.iter().filter(|one| one.is_err()).count();
        assert!(refused == 0 || (refused == 1 && !waits), "{refused:?}");
        for one in ended {
            match one {
                Ok(report) => {
                    let report = report.expect("nobody said no");
                    if !is_complete(&report) {
                        assert!(self.may_fail(), "it failed: {}", outcomes(&report));
                        self.ledger.touched = true;
                        continue;
                    }
                    let way = Way { aim: Aim::Apply, release: false, fate: Fate::Lives };
                    self.complete(&way, &report, &look);
                }
                Err(Error::Locked { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let way = Way { aim: Aim::Apply, release: false, fate: Fate::Lives };
        self.learn_stopped(&way, &look);
        self.learn_kept(&look);
    }

    /// What a pass that did all it set out to do has to come to.
    fn complete(&mut self, way: &Way, report: &Report, look: &Look) {
        let naming = self.ground.naming();
        for id in look.containers.iter().filter_map(|seen| seen.resource.as_ref()) {
            let claimants = look.claimants(id);
            let is_held = report.rest.held.iter().any(|held| held.id == *id)
                || report.rest.blocked.contains_key(id);
            let is_about_all = matches!(way.aim, Aim::Apply | Aim::Start(_) | Aim::Destroy);
            assert!(claimants.len() < 2 || is_held || !is_about_all, "{claimants:#?}");
        }
        assert!(report.rest.steps.is_empty(), "left to do: {}", gist(&report.rest));
        let record = look.record.as_ref();
        assert!(record.is_none_or(|record| record.complete), "it says it was cut off");
        match &way.aim {
            Aim::Destroy => {
                self.ledger.stopped.clear();
                if report.rest.held.is_empty() {
                    let ours = look.containers.iter().filter(|seen| seen.whose == Whose::Ours);
                    assert_eq!(ours.collect::<Vec<_>>(), Vec::<&Seen>::new());
                    assert!(record.is_none(), "it is remembered: {record:?}");
                }
                return;
            }
            Aim::Apply => {}
            // What a container does is theirs; what else differs stays.
            Aim::Stop(names) => {
                let all = self.file.names().into_iter();
                let all = all.filter(|name| can_stop(&self.file, *name));
                let stopped = all.filter(|name| names.is_empty() || names.contains(name));
                self.ledger.stopped.extend(stopped);
                self.ledger.stopped.retain(|name| can_stop(&self.file, *name));
                for name in &self.ledger.stopped {
                    let seen = look.at(&naming.container(*name));
                    let ours = seen.filter(|seen| seen.whose == Whose::Ours);
                    let runs = ours.is_some_and(|seen| seen.doing == Doing::Runs);
                    let asked = names.is_empty() || names.contains(name);
                    let held = !report.rest.held.is_empty();
                    assert!(!runs || !asked || held, "{name:?} was to be stopped");
                }
                return;
            }
            Aim::Start(names) => {
                self.ledger.stopped.retain(|name| !names.is_empty() && !names.contains(name));
            }
            Aim::Restart(_) => return,
        }
        self.ledger.stopped.retain(|name| can_stop(&self.file, *name));
        let plan = self.plan();
        assert!(plan.steps.is_empty(), "not empty right after a pass: {}", gist(&plan));
        let names = |plan: &Plan| -> BTreeSet<Release> {
            plan.held.iter().map(|held| held.release.clone()).collect()
        };
        assert_eq!(names(&plan), names(&report.rest), "what is held is told");
        if plan.is_empty() {
            self.ledger.touched &= self.hides();
            self.is_as_the_file_says(look);
        }
        self.nobody_is_blamed(&plan);
    }

    /// Returns whether what somebody did may show only later: once a service is started again, or once the
    /// file names what they made.
    fn hides(&self) -> bool {
        let project = &self.ground.naming().project;
        let mut theirs = self.ledger.strangers.keys().filter_map(|key| key.rsplit(' ').next());
        !self.ledger.stopped.is_empty() || theirs.any(|name| name.starts_with(project.as_str()))
    }

    fn is_as_the_file_says(&self, look: &Look) {
        let naming = self.ground.naming();
        for (name, service) in &self.file.0 {
            let container = naming.container(*name);
            let id = ResourceId::Container(container.clone());
            let claimants = look.claimants(&id);
            let stopped = self.ledger.stopped.contains(name);
            let [seen] = claimants[..] else {
                assert!(claimants.is_empty(), "{claimants:#?}");
                assert!(stopped || service.job, "{name:?} is not there");
                continue;
            };
            if stopped {
                assert!(!matches!(seen.doing, Doing::Runs | Doing::Paused), "{seen:?}");
                continue;
            }
            let should = if service.job { Doing::Ended(0) } else { Doing::Runs };
            assert_eq!((&seen.name, seen.doing), (&container, should));
            assert_eq!(seen.level, Some(service.level.to_string()), "{name:?}");
            assert_eq!(seen.memory, service.memory(), "{name:?}");
            let data = service.keeps.map(|keeps| naming.volume(*name, keeps));
            assert_eq!(seen.data, data, "{name:?}");
            let aliases = BTreeSet::from([name.text().to_owned()]);
            let networks = BTreeMap::from([(naming.project.clone(), aliases)]);
            assert_eq!(seen.networks, networks, "{name:?}");
            let restart = if service.job { "" } else { "unless-stopped" };
            assert_eq!(seen.restart, restart, "{name:?}");
        }
        for seen in look.containers.iter().filter(|seen| seen.whose == Whose::Ours) {
            let mut all = self.file.names().into_iter().map(|name| naming.container(name));
            // A stopped one that somebody renamed gets its name back when it is started.
            let name_of = |id: &ResourceId| id.to_string().replace("container/", "");
            let of = seen.resource.as_ref().map_or(seen.name.clone(), name_of);
            assert!(all.any(|name| name == of), "nobody wants {seen:?}");
        }
        let named = |network: &&(String, String, Whose)| network.0 == naming.project;
        assert_eq!(look.networks.iter().filter(named).count(), 1);
    }

    /// What a failed pass says is back has to be back.
    fn brought_back(&self, report: &Report, before: &Look, look: &Look) {
        for (group, trouble) in report.passes.iter().flat_map(|(_, applied)| &applied.returned) {
            let ResourceId::Container(name) = group else { continue };
            let was = before.claimants(group).into_iter().find(|seen| seen.doing == Doing::Runs);
            let Some(was) = was.filter(|_| trouble.is_none()) else { continue };
            let now = look.containers.iter().find(|seen| seen.id == was.id);
            let runs = now.is_some_and(|seen| seen.doing == Doing::Runs);
            assert!(runs, "{name} is said to be back, and there is {now:?}");
        }
    }

    /// Returns whether a pass may fail although nothing was done to it.
    fn may_fail(&self) -> bool {
        let bad = self.file.0.values().any(|service| service.tag == super::file::Tag::Bad);
        let look = self.ground.look();
        // Somebody else's container uses a volume that would be made anew.
        let mut theirs = look.containers.iter().filter(|seen| seen.whose == Whose::Theirs);
        bad || theirs.any(|seen| seen.data.is_some())
    }

    /// What was released may go, and be ours.
    fn let_go(&mut self, releases: &BTreeSet<Release>, look: &Look) {
        self.ledger.kept.retain(|name, (id, _)| {
            let is_same = look.volumes.get(name).is_some_and(|there| there.id == *id);
            is_same || !allows(releases, &ResourceId::Volume(name.clone()))
        });
        let now = self.strangers();
        let released = |name: &str| {
            let name = name.split(' ').next_back().unwrap_or_default();
            releases.iter().any(|release| release.to_string().ends_with(&format!("/{name}")))
        };
        self.ledger.strangers.retain(|name, how| now.get(name) == Some(how) || !released(name));
        let network = ResourceId::Network(self.ground.naming().project.clone());
        if allows(releases, &network) {
            self.ledger.strangers = now;
        }
    }

    fn learn_kept(&mut self, look: &Look) {
        for (name, volume) in &look.volumes {
            let kept = (volume.id.clone(), volume.word.clone());
            self.ledger.kept.entry(name.clone()).or_insert(kept);
        }
    }

    /// Returns whether a pass that did not come to its end was about what a person stopped.
    fn ledger_of_stopped_is_open(&self, way: &Way) -> bool {
        matches!(way.aim, Aim::Stop(_) | Aim::Start(_) | Aim::Destroy)
            || self.ledger.stopped.iter().any(|name| !can_stop(&self.file, *name))
    }

    /// A pass that was cut off has remembered what it was about, or has not begun.
    fn learn_stopped(&mut self, way: &Way, look: &Look) {
        let recorded = recorded(look);
        let was = &self.ledger.stopped;
        let in_file = |names: &BTreeSet<Name>| -> BTreeSet<Name> {
            names.iter().copied().filter(|name| can_stop(&self.file, *name)).collect()
        };
        let mut after = in_file(was);
        match &way.aim {
            Aim::Stop(names) if names.is_empty() => {
                after = in_file(&self.file.names().into_iter().collect());
            }
            Aim::Stop(names) => after.extend(in_file(names)),
            Aim::Start(names) if names.is_empty() => after.clear(),
            Aim::Start(names) => after.retain(|name| !names.contains(name)),
            Aim::Destroy => after.clear(),
            Aim::Apply | Aim::Restart(_) => {}
        }
        assert!(recorded == *was || recorded == after, "{was:?} to {after:?}, not {recorded:?}");
        self.ledger.stopped = recorded;
    }

    fn remembers(&self, look: &Look) {
        assert_eq!(recorded(look), self.ledger.stopped, "what a person stopped");
    }

    /// Returns everything of somebody else with all that can be seen of it.
    fn strangers(&self) -> BTreeMap<String, String> {
        let look = self.ground.look();
        let mut whose = look.containers.iter().map(|seen| seen.whose);
        let mut networks = look.networks.iter().map(|(_, _, whose)| *whose);
        let mut volumes = look.volumes.values().map(|kept| kept.whose);
        let is_theirs = |whose: Whose| whose == Whose::Theirs;
        if !(whose.any(is_theirs) || networks.any(is_theirs) || volumes.any(is_theirs)) {
            return BTreeMap::new();
        }
        let theirs = |id: &str| {
            let containers = look.containers.iter().map(|seen| (&seen.id, seen.whose, &seen.name));
            let networks = look.networks.iter().map(|(name, id, whose)| (id, *whose, name));
            let volumes = look.volumes.iter().map(|(name, kept)| (name, kept.whose, name));
            let mut all = containers.chain(networks).chain(volumes);
            let found = all.find(|(other, whose, _)| *other == id && *whose == Whose::Theirs);
            found.map(|(_, _, name)| name.clone())
        };
        let all = self.ground.everything();
        all.into_iter()
            .filter_map(|(key, how)| {
                let (_, id) = key.split_once(' ')?;
                let name = theirs(id)?;
                Some((format!("{key} {name}"), how))
            })
            .collect()
    }
}

/// Returns whether a person can stop a service: a job ends by itself.
fn can_stop(file: &File, name: Name) -> bool {
    file.0.get(&name).is_some_and(|service| !service.job)
}

fn recorded(look: &Look) -> BTreeSet<Name> {
    let recorded = look.record.iter().flat_map(|record| &record.suspended);
    let name = |service: &ServiceName| {
        super::file::NAMES.into_iter().find(|name| name.text() == service.to_string())
    };
    recorded.filter_map(name).collect()
}

/// What no plan was about is the same run of the same container.
fn untouched<'a>(plans: impl Iterator<Item = &'a Plan>, before: &Look, after: &Look) {
    let mut groups = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut disturbs_all = false;
    for plan in plans {
        for step in &plan.steps {
            groups.insert(step.group.clone());
            disturbs_all |= matches!(step.op, Op::RemoveNetwork { .. });
            if let Op::RemoveContainer(target) | Op::Stop { container: target, .. } = &step.op {
                names.insert(target.name().to_owned());
            }
        }
        // A pass goes on with what could not be seen before.
        groups.extend(plan.changes.changes.iter().map(|change| change.id.clone()));
    }
    for was in before.containers.iter().filter(|seen| seen.whose == Whose::Ours) {
        let Some(id) = &was.resource else { continue };
        if groups.contains(id) || names.contains(&was.name) || disturbs_all {
            continue;
        }
        let now = after.containers.iter().find(|seen| seen.id == was.id);
        assert_eq!(now, Some(was), "no plan was about it");
    }
}

/// Returns whether a pass leaves the lock of a dead one: it had nothing to do, so it asked for none.
fn stays_locked(before: &Look, report: &Report) -> bool {
    before.is_locked && report.passes.iter().all(|(_, applied)| applied.outcomes.is_empty())
}

/// Returns whether all that was to be done was done.
fn is_complete(report: &Report) -> bool {
    report.passes.iter().all(|(_, applied)| {
        let all_done = applied.outcomes.values().all(|outcome| *outcome == Outcome::Done);
        all_done && !applied.interrupted
    })
}

fn is_unreachable(error: &Error) -> bool {
    matches!(error, Error::Engine(engine::Error::Unreachable { .. }))
}

fn insist_on_unreachable(error: &Option<Error>) {
    assert!(error.as_ref().is_some_and(is_unreachable), "nobody answers, and it says {error:?}");
}

fn outcomes(report: &Report) -> String {
    let mut lines = vec![String::new()];
    for (plan, applied) in &report.passes {
        for (step, outcome) in &applied.outcomes {
            if *outcome != Outcome::Done {
                lines.push(format!("{:?}: {outcome:?}", plan.steps[*step].op));
            }
        }
    }
    lines.join("\n")
}

fn gist(plan: &Plan) -> String {
    crate::docker::stage::gist(plan)
}
