//! Who asks: users by bearer token, and those an entitled user speaks for.

use std::collections::BTreeMap;

/// A user, as a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User name.
    pub name: String,
    /// UID, may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Whether the user may do everything; otherwise what the roles bound to the user allow.
    pub admin: bool,
}

impl User {
    /// The user of requests from inside the process.
    pub fn admin() -> User {
        User {
            name: "kubernetes-admin".into(),
            uid: String::new(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
            admin: true,
        }
    }

    /// A user of these groups; who is in `system:masters` may do everything.
    pub fn of(name: &str, uid: &str, groups: Vec<String>) -> User {
        let admin = groups.iter().any(|group| group == "system:masters");
        User { name: name.into(), uid: uid.into(), groups, admin }
    }

    /// The user somebody speaks for, with the groups that go without saying.
    pub(crate) fn impersonated(name: &str, mut groups: Vec<String>) -> User {
        let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
        if let (Some((namespace, _)), true) = (account, groups.is_empty()) {
            groups = vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")];
        }
        let implied = if name == "system:anonymous" { "system:unauthenticated" } else { "system:authenticated" };
        if !groups.iter().any(|group| group == implied) {
            groups.push(implied.into());
        }
        User::of(name, "", groups)
    }

    fn anonymous() -> User {
        User {
            name: "system:anonymous".into(),
            uid: String::new(),
            groups: vec!["system:unauthenticated".into()],
            admin: false,
        }
    }
}

/// How requests over HTTP are authenticated.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    users: BTreeMap<String, User>,
    open: bool,
}

impl Auth {
    /// Everybody is admin; for a socket only this machine can reach.
    pub fn open() -> Auth {
        Auth { users: BTreeMap::new(), open: true }
    }

    /// Users of a static token file: `token,user,uid,"group1,group2"` a line; the group `system:masters` may do
    /// everything, others what roles allow them. Lines that say less than token and user are skipped.
    pub fn tokens(file: &str) -> Auth {
        let mut users = BTreeMap::new();
        for line in file.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let mut parts = line.splitn(4, ',').map(|part| part.trim_matches('"'));
            let (Some(token), Some(name)) = (parts.next(), parts.next()) else {
                continue;
            };
            let uid = parts.next().unwrap_or_default();
            let mut groups: Vec<String> = parts.next().unwrap_or_default().split(',').map(str::to_owned).collect();
            groups.push("system:authenticated".into());
            users.insert(token.to_owned(), User::of(name, uid, groups));
        }
        Auth { users, open: false }
    }

    /// The user of a request; `None` means 401.
    pub fn user(&self, authorization: Option<&str>) -> Option<User> {
        if self.open {
            return Some(User::admin());
        }
        let Some(authorization) = authorization else {
            return Some(User::anonymous());
        };
        let token = authorization.strip_prefix("Bearer ").unwrap_or(authorization);
        self.users.get(token.trim()).cloned()
    }
}
