//! Who may do what: users by bearer token, and whether each may do everything or nothing.

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
    /// Whether the user may do everything; nothing otherwise.
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
    /// everything, others nothing. Lines that say less than token and user are skipped.
    pub fn tokens(file: &str) -> Auth {
        let mut users = BTreeMap::new();
        for line in file.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let mut parts = line.splitn(4, ',').map(|part| part.trim_matches('"'));
            let (Some(token), Some(name)) = (parts.next(), parts.next()) else {
                continue;
            };
            let uid = parts.next().unwrap_or_default();
            let mut groups: Vec<String> = parts.next().unwrap_or_default().split(',').map(str::to_owned).collect();
            let admin = groups.iter().any(|group| group == "system:masters");
            groups.push("system:authenticated".into());
            let user = User { name: name.into(), uid: uid.into(), groups, admin };
            users.insert(token.to_owned(), user);
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
