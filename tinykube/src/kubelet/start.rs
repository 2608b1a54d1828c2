//! What keeps a container from being created: its image or its configuration.

use jiff::Timestamp;

use super::container::{Container, Scene};
use super::note::Note;
use super::waiting::{StartProblem, Waiting};

impl Container {
    /// Looks for the image and the configuration, and says so in Events.
    pub(crate) fn start_problem(&mut self, scene: &mut Scene<'_>, at: Timestamp) -> Option<StartProblem> {
        if let Some(problem) = self.image_problem(scene, at) {
            return Some(problem);
        }
        let problem = self.config_problem(scene)?;
        self.note(scene, Note::warning("Failed", format!("Error: {problem}")));
        Some(StartProblem::Missing(Waiting { reason: "CreateContainerConfigError", message: problem }))
    }

    fn config_problem(&self, scene: &Scene<'_>) -> Option<String> {
        let scripted = self.behaviour.config_error.clone();
        scripted.or_else(|| self.environment.iter().find_map(|reference| scene.world.config_problem(reference)))
    }

    fn image_problem(&mut self, scene: &mut Scene<'_>, at: Timestamp) -> Option<StartProblem> {
        if !self.pull_fails() {
            return self.pull_well(scene);
        }
        if self.image_backoff.remaining_since_step(at).is_some() {
            return Some(StartProblem::Missing(self.back_off_pulling(scene)));
        }
        self.failed_pulls += 1;
        self.image_backoff.step(at, at);
        self.note(scene, Note::normal("Pulling", format!("Pulling image \"{}\"", self.image)));
        let problem = self.pull_message();
        self.note(scene, Note::warning("Failed", format!("Failed to pull image \"{}\": {problem}", self.image)));
        self.note(scene, Note::warning("Failed", "Error: ErrImagePull".to_owned()));
        Some(StartProblem::Missing(Waiting { reason: "ErrImagePull", message: problem }))
    }

    fn pull_well(&mut self, scene: &mut Scene<'_>) -> Option<StartProblem> {
        let takes = self.behaviour.pull.takes.filter(|_| !self.pulled);
        if let Some(takes) = takes {
            self.note(scene, Note::normal("Pulling", format!("Pulling image \"{}\"", self.image)));
            return Some(StartProblem::Pulling(takes.duration()));
        }
        let message =
            format!("Container image \"{}\" already present on machine and can be accessed by the pod", self.image);
        self.note(scene, Note::normal("Pulled", message));
        None
    }

    fn back_off_pulling(&self, scene: &mut Scene<'_>) -> Waiting {
        self.note(scene, Note::normal("BackOff", format!("Back-off pulling image \"{}\"", self.image)));
        self.note(scene, Note::warning("Failed", "Error: ImagePullBackOff".to_owned()));
        Waiting {
            reason: "ImagePullBackOff",
            message: format!("Back-off pulling image \"{}\": ErrImagePull: {}", self.image, self.pull_message()),
        }
    }

    fn pull_fails(&self) -> bool {
        let pull = &self.behaviour.pull;
        let by_name = self.image.contains("does-not-exist") || self.image.contains(":broken");
        by_name || (pull.fails && pull.times.is_none_or(|times| self.failed_pulls < times))
    }

    fn pull_message(&self) -> String {
        let unknown = format!(
            "failed to pull and unpack image \"{image}\": failed to resolve image: {image}: not found",
            image = self.image
        );
        self.behaviour.pull.message.clone().unwrap_or(unknown)
    }
}
