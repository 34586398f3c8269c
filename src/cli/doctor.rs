//! `nself doctor`

use clap::Args;

use crate::{
    controller::checkup::{self, Found},
    doctor::{self, Examined, Facts, Level},
    engine::docker::Docker,
    report,
};

use super::{Context, Error, Exit, address, place, session, trust};

/// Look for what is wrong, or soon will be
///
/// Checks the engine, its machine, the project's services, names, certificates and files, and says of
/// each fault what comes of it and what to do. Ends with 1 while there is an error; warnings and notes
/// end with 0.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself doctor                 what is wrong, why it matters, what to do
  nself doctor --fix           repair what can be repaired without any risk
  nself doctor -v              also what is well, and what was seen")]
pub(super) struct DoctorArgs {
    /// Repair what can do no harm: file modes, git's ignore rules, what dead applies left behind
    #[arg(long)]
    fix: bool,
}

pub(super) async fn run(args: &DoctorArgs, context: &Context) -> Result<Exit, Error> {
    let found = find(context)?;
    let engine = engine(context, &found).await;
    let (mut facts, mut examined) = examine(&found, &engine, context).await;
    let mut fixed = Vec::new();
    let mut unfixed = Vec::new();
    if args.fix {
        let findings = examined.iter().flat_map(|one| one.verdict.findings());
        for fix in findings.filter_map(|finding| finding.fix.as_ref()) {
            match checkup::fix(fix, engine.as_ref().ok().map(|(engine, _)| engine)).await {
                Ok(()) => fixed.push(fix.to_string()),
                Err(error) => unfixed.push(Error::from(error).attempting(format!("{fix} failed"))),
            }
        }
        if !fixed.is_empty() {
            (facts, examined) = examine(&find(context)?, &engine, context).await;
        }
    }
    drop(facts);
    if context.ui.json {
        context.ui.data(&report::doctor_json(&examined, &fixed));
    }
    let detail = match context.globals.verbose {
        0 => report::Detail::Brief,
        _ => report::Detail::Full,
    };
    context.ui.print(&report::doctor(&examined, &fixed, detail, context.ui.out));
    for error in &unfixed {
        context.ui.complain(&error.text(&context.ui));
    }
    let mut levels = examined.iter().flat_map(|one| one.verdict.findings()).map(|one| one.level);
    let is_ill = levels.any(|level| level == Level::Error) || !unfixed.is_empty();
    Ok(if is_ill { Exit::Failed } else { Exit::Done })
}

/// Looks for the project. That there is none, or that its file has mistakes, is something to report.
fn find(context: &Context) -> Result<Found, Error> {
    let named = context.globals.file.is_some();
    let place = match place::find(&context.globals) {
        Ok(place) => place,
        // A file that was named has to be there.
        Err(error) if named || error.exit() == Exit::Usage => return Err(error),
        Err(_) => return Ok(Found::None),
    };
    Ok(match crate::controller::load(&place) {
        Ok(project) => Found::Project(Box::new(project)),
        Err(error) => Found::Broken(place.file, Error::from(error).gist()),
    })
}

type Reached = Result<(Docker, String), (Vec<String>, String, String)>;

async fn engine(context: &Context, found: &Found) -> Reached {
    let file = match found {
        Found::Project(project) => project.spec.engine.as_ref().map(|one| one.value.as_str()),
        Found::None | Found::Broken(..) => None,
    };
    let variables = place::variables();
    let choice = address::choose(context.globals.engine.as_deref(), file, &variables);
    let address = choice.address.clone();
    let silent = |error: Error| {
        let (chain, remedy) = error.noting(&format!("from {}", choice.by)).into_parts();
        (chain, remedy.unwrap_or_default(), address.clone())
    };
    let connected = match found {
        Found::Project(project) => session::engine(context, project).await,
        Found::None | Found::Broken(..) => {
            choice.check().map_err(silent)?;
            let keyring = crate::model::Keyring::default();
            Docker::connect(&choice.address, keyring).await.map_err(Error::from)
        }
    };
    connected.map(|engine| (engine, address.clone())).map_err(|error| {
        let (chain, remedy) = error.into_parts();
        (chain, remedy.unwrap_or_default(), address.clone())
    })
}

async fn examine(found: &Found, engine: &Reached, _: &Context) -> (Facts, Vec<Examined>) {
    let stores = trust::stores();
    let (engine, address) = match engine {
        Ok((engine, address)) => (Ok(engine), address),
        Err((chain, remedy, address)) => (Err((chain.clone(), remedy.clone())), address),
    };
    let facts = Box::pin(checkup::gather(found, engine, address, &stores)).await;
    let examined = doctor::examine(&facts);
    (facts, examined)
}
