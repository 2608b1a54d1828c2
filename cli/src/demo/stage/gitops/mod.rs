//! Every story once more, with a GitOps tool that applies what is in Git all the while.
//!
//! Argo CD and Flux are played by what counts for others: server-side apply of the same manifests by force, every ten seconds,
//! under their own field manager and with their own marks. A judge sees every version of every object that Git has. How a story
//! ends is not asked here: a tool may bring back what a story took away.

mod competitors;
mod judge;
mod repository;
mod tool;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use self::tool::{Syncing, Tool};
use super::*;

/// Whoever else meddles, at each round of the tool.
type Rival = fn(&tinykube::api::Api);

/// What came of a story under a tool.
#[derive(Debug, Default)]
struct Seen {
    /// What should not have been.
    wrong: Vec<String>,
    /// What kubeheal did.
    steps: Vec<String>,
}

/// How long a story is told in which a rival meddles.
const WITH_RIVAL: Duration = Duration::from_secs(360);

/// Tells a story under a tool; only its beginning, if a rival meddles.
fn tell_under(story: &Story, tool: Tool, rival: Option<Rival>) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let stage = Stage::set().unwrap();
        let (stop, people) = (CancellationToken::new(), TaskTracker::new());
        stage.observe(story, &people, &stop);
        let mut syncing = Syncing::begin(tool, stage.cluster.api().clone(), story);
        stage.start_kubeheal(&people, &stop);
        let end = rival.map_or(story.until.duration(), |_| WITH_RIVAL);
        for one in story.in_order().into_iter().filter(|one| one.value.at.duration() <= end) {
            syncing.until(stage.began + one.value.at.duration(), rival).await;
            syncing.happens(&stage.client, &one.value.breakage().unwrap()).await;
        }
        syncing.until(stage.began + end, rival).await;
        let wrong = syncing.end();
        stop.cancel();
        people.close();
        people.wait().await;
        let steps = stage.ended(story).chronicle.actions().into_iter().map(|action| action.step).collect();
        Seen { wrong, steps }
    })
}

fn read(path: &Path) -> Story {
    Story::read(path, &std::fs::read_to_string(path).unwrap()).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stories")
}

/// Every story, in whichever group.
fn stories() -> Vec<Story> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let groups = entries(&folder()).into_iter().filter(|path| path.is_dir());
    let mut files: Vec<_> = groups.flat_map(|group| entries(&group)).collect();
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

/// Tells each story under each tool, as many at once as there are processors.
fn tell_all(stories: &[Story]) -> Vec<(&Story, Tool, Seen)> {
    let pairs: Vec<_> = stories.iter().flat_map(|story| Tool::ALL.map(|tool| (story, tool))).collect();
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&(story, tool)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let seen = tell_under(story, tool, None);
                    told.lock().unwrap().push((story, tool, seen));
                }
            });
        }
    });
    told.into_inner().unwrap()
}

#[test]
fn a_gitops_tool_and_kubeheal_leave_each_other_alone_in_every_story() {
    let stories = stories();
    assert!(stories.len() >= 26, "{}", stories.len());
    let told = tell_all(&stories);
    let wrong: Vec<_> = told
        .iter()
        .flat_map(|(story, tool, seen)| {
            seen.wrong.iter().map(move |one| format!("{} under {tool:?}: {one}", story.name()))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} times:\n{}",
        wrong.len(),
        wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n")
    );
    for tool in Tool::ALL {
        let steps = told.iter().filter(|(_, by, _)| *by == tool).flat_map(|(_, _, seen)| &seen.steps);
        assert!(steps.filter(|step| *step == "RestartPod").count() > 10, "kubeheal had nothing to do under {tool:?}");
    }
    let recreated = |(_, tool, seen): &&(&Story, Tool, Seen)| {
        *tool == Tool::Flux && seen.steps.iter().any(|step| step == "RecreateWorkload")
    };
    assert!(told.iter().any(|told| recreated(&told)), "nothing was recreated while Flux was away");
}
