//! Image references: what of them may be said, and whose they are.

/// Longest reference that is said, in bytes. A longer one is none.
const MAX_REFERENCE: usize = 512;
/// Whose an image is that names no registry, as the kubelet understands it.
const DEFAULT_REGISTRY: &str = "docker.io";

/// The reference, if it is one: it is shown to others, so whatever else somebody has written there is not.
pub(super) fn reference(image: &str) -> Option<&str> {
    let is_part = |text: &str| text.chars().all(|one| one.is_ascii_alphanumeric() || "._-/:".contains(one));
    let (name, digest) = image.split_once('@').unwrap_or((image, "sha256:"));
    let is_digest = ["sha256:", "sha512:"].iter().any(|kind| digest.starts_with(kind)) && !digest.contains('/');
    (image.len() <= MAX_REFERENCE && !name.is_empty() && is_part(name) && is_part(digest) && is_digest).then_some(image)
}

/// The registry that an image comes from.
pub(super) fn registry(reference: &str) -> &str {
    let is_host = |first: &&str| first.contains(['.', ':']) || *first == "localhost";
    reference.split_once('/').map(|(first, _)| first).filter(is_host).unwrap_or(DEFAULT_REGISTRY)
}
