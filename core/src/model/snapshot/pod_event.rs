//! What the Events of a pod say. They give words to a finding that its status makes, and never make one.

/// The latest words about a pod, as far as anybody said some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodEvents {
    /// Why it has no sandbox.
    pub no_sandbox: Option<SandboxTrouble>,
    /// Why it could not be ended.
    pub not_ended: Option<String>,
}

/// What keeps a pod from having a sandbox, in the words of its node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SandboxTrouble {
    /// What it is about.
    pub about: SandboxNeed,
    /// One line, bounded and plain, and the same for each try.
    pub words: String,
}

/// What must be there before a sandbox is, or for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SandboxNeed {
    /// Its volumes, of Secrets and ConfigMaps too: what the pod asks for.
    Volume,
    /// The container runtime of the node and its network.
    Runtime,
}
