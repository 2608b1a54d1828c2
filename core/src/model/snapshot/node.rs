//! The node of a pod, as small as deciding allows.

/// What deciding reads of the node that a pod was given to; nothing, where nodes may not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Why nothing that is said of its pods can be relied on.
    pub loss: Option<NodeLoss>,
    /// Why it takes no new pods, or gives those away that it has.
    pub drain: Option<NodeDrain>,
    /// Digest of its boot ID: another one after each boot, and the same after a restart of the kubelet.
    pub boot: Option<String>,
    /// It is not the only node there is, so it says something that a pod is on this one.
    pub is_one_of_many: bool,
}

/// How a node is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeLoss {
    /// There is no such node any more.
    Gone,
    /// Its kubelet has fallen silent.
    Unreachable,
    /// It was switched off, or taken out of service by a person.
    OutOfService,
    /// Its kubelet says that it is not ready, and why.
    NotReady(String),
}

impl NodeLoss {
    /// What the node does, to be said after its name.
    pub fn words(&self) -> String {
        match self {
            Self::Gone => "is gone".to_owned(),
            Self::Unreachable => "does not answer".to_owned(),
            Self::OutOfService => "is out of service".to_owned(),
            Self::NotReady(why) if why.is_empty() => "is not ready".to_owned(),
            Self::NotReady(why) => format!("is not ready ({why})"),
        }
    }
}

/// How a node is about to lose its pods, or keeps new ones away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeDrain {
    /// Its object is being deleted.
    Deleted,
    /// Whoever takes nodes away has marked it with this taint.
    Marked(String),
    /// Its kubelet is short of something and evicts pods.
    Pressure(Pressure),
    /// Somebody cordoned it.
    Cordoned,
}

impl NodeDrain {
    /// What the node does, to be said after its name.
    pub fn words(&self) -> String {
        match self {
            Self::Deleted => "is being deleted".to_owned(),
            Self::Marked(taint) => format!("is about to be taken away (taint {taint})"),
            Self::Pressure(Pressure::Disk) => "has disk pressure".to_owned(),
            Self::Pressure(Pressure::Memory) => "has memory pressure".to_owned(),
            Self::Pressure(Pressure::Pid) => "has PID pressure".to_owned(),
            Self::Cordoned => "is cordoned".to_owned(),
        }
    }
}

/// What a node is short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// Room on its disks.
    Disk,
    /// Memory.
    Memory,
    /// Process IDs.
    Pid,
}
