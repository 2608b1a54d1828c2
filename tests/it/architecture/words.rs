//! Words that are no names here: private ones, for which the field has a word.

use syn::{
    ImplItemFn, ItemEnum, ItemFn, ItemMod, ItemStruct, ItemTrait, ItemType, TraitItemFn, Variant,
    visit::{self, Visit},
};

/// What is not said, and what is said instead.
pub(super) const INSTEAD: [(&[&str], &str); 19] = [
    (&["Look", "look"], "reconcile, observation, ContainerContext"),
    (&["ending", "Ending"], "termination"),
    (&["hold_back", "choice", "Choice", "Wish", "wish"], "proposal, gate"),
    (&["reaction", "Reaction"], "mitigation"),
    (&["amplification"], "action rate"),
    (&["Herald", "herald"], "EventRecorder"),
    (&["Desk", "desk"], "AlertDispatcher"),
    (&["Lane", "lane"], "ReceiverQueue"),
    (&["Courier", "courier"], "HttpSender"),
    (&["Offer", "offer", "Pace", "pace"], "AlertRequest, RetryConfig"),
    (&["Sink", "sink", "sinks", "Audience", "audience"], "receiver"),
    (&["vain", "in_vain", "in_force", "InForce"], "ineffective, effective"),
    (
        &["calm", "unwell", "lasting", "acute", "eager", "aside"],
        "stabilization, unhealthy, over threshold, active now, note",
    ),
    (&["Told", "told", "said", "spoken"], "notified, error_text, humanize"),
    (&["Wakeups", "wakeups", "recall", "remember"], "requeue, load, store"),
    (&["Watchman", "watchman", "Book", "book", "Stood", "lay"], "ClockJumpDetector, PolicyStore, merge"),
    (&["companion", "Rivals", "rivals", "elder"], "pdb, ownership, oldest owner"),
    (&["Neighbour", "neighbour"], "PeerStatus"),
    (&["Town", "Play", "Deed", "Beat", "Office", "sketch", "house"], "simulation, action, step, harness, fixtures"),
];

/// What to say instead of a word, if it is none of ours.
pub(super) fn instead(name: &str) -> Option<&'static str> {
    INSTEAD.iter().find(|(words, _)| words.contains(&name)).map(|(_, better)| *better)
}

/// Names of types, functions and modules in a file.
#[derive(Default)]
pub(super) struct Names(pub(super) Vec<String>);

impl Names {
    pub(super) fn of(text: &str) -> Vec<String> {
        let mut names = Self::default();
        names.visit_file(&syn::parse_file(text).unwrap());
        names.0
    }
}

macro_rules! named {
    ($($visit:ident: $item:ty => $($name:ident).+),* $(,)?) => {
        impl Visit<'_> for Names {
            $(fn $visit(&mut self, item: &$item) {
                self.0.push(item.$($name).+.to_string());
                visit::$visit(self, item);
            })*
        }
    };
}

named! {
    visit_item_fn: ItemFn => sig.ident,
    visit_impl_item_fn: ImplItemFn => sig.ident,
    visit_trait_item_fn: TraitItemFn => sig.ident,
    visit_item_struct: ItemStruct => ident,
    visit_item_enum: ItemEnum => ident,
    visit_item_trait: ItemTrait => ident,
    visit_item_type: ItemType => ident,
    visit_item_mod: ItemMod => ident,
    visit_variant: Variant => ident,
}
