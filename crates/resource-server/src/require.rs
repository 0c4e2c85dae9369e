//! What a route requires of whoever calls it.

use std::borrow::Cow;
use std::time::Duration;

use crate::claims::Claims;
use crate::refusal::Refusal;
use latchway_core::Seconds;

/// What a caller must have. Made by [`scope`], [`role`], [`fresh`], [`person`] and [`machine`], and put together by
/// [`any_of`] and [`all_of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Scope(Cow<'static, str>),
    Role(Cow<'static, str>),
    Fresh(Seconds),
    Person,
    Machine,
    Any(Vec<Requirement>),
    All(Vec<Requirement>),
}

/// The token's scope has this word: its person allowed it to the client, or the operator did to the machine.
pub fn scope(name: impl Into<Cow<'static, str>>) -> Requirement {
    Requirement(Kind::Scope(name.into()))
}

/// The person has this role at the issuer.
pub fn role(name: impl Into<Cow<'static, str>>) -> Requirement {
    Requirement(Kind::Role(name.into()))
}

/// The person proved who they are within this time; if not, the client is told to let them do so (RFC 9470).
pub fn fresh(max_age: Duration) -> Requirement {
    Requirement(Kind::Fresh(Seconds::try_from(max_age.as_secs()).unwrap_or(Seconds::MAX)))
}

/// A person stands behind the call ([`Claims::person`]).
pub fn person() -> Requirement {
    Requirement(Kind::Person)
}

/// No person stands behind the call.
pub fn machine() -> Requirement {
    Requirement(Kind::Machine)
}

/// One of these is enough. None of none is: an empty list lets nobody in.
pub fn any_of(requirements: impl IntoIterator<Item = Requirement>) -> Requirement {
    Requirement(Kind::Any(requirements.into_iter().collect()))
}

/// All of these are needed.
pub fn all_of(requirements: impl IntoIterator<Item = Requirement>) -> Requirement {
    Requirement(Kind::All(requirements.into_iter().collect()))
}

impl Requirement {
    /// Whether somebody with these claims meets it at `now`, in Unix seconds; else how to refuse them.
    pub fn check(&self, claims: &Claims, now: Seconds) -> Result<(), Refusal> {
        let refuse =
            |description: Cow<'static, str>| Err(Refusal::InsufficientScope { scope: self.scopes(), description });
        match &self.0 {
            Kind::Scope(name) if claims.has_scope(name) => Ok(()),
            Kind::Scope(name) => refuse(format!("the scope {name} is required").into()),
            Kind::Role(name) if claims.has_role(name) => Ok(()),
            Kind::Role(name) => refuse(format!("the role {name} is required").into()),
            Kind::Person if claims.person().is_some() => Ok(()),
            Kind::Person => refuse("this is for people, not for machines".into()),
            Kind::Machine if claims.person().is_none() => Ok(()),
            Kind::Machine => refuse("this is for machines, not for people".into()),
            Kind::Fresh(max_age) => check_age(claims, *max_age, now),
            Kind::Any(some) => match some.iter().map(|one| one.check(claims, now)).reduce(Result::or) {
                Some(outcome) => outcome.map_err(|_| self.refuse_any(claims, now)),
                None => refuse("nobody may".into()),
            },
            // The refusal of a part names the scope of the whole, so that a client asks once.
            Kind::All(all) => all.iter().try_for_each(|one| one.check(claims, now)).map_err(|refusal| match refusal {
                Refusal::InsufficientScope { description, .. } => {
                    Refusal::InsufficientScope { scope: self.scopes(), description }
                }
                other => other,
            }),
        }
    }

    /// Of alternatives the first that a client can do something about decides how it is refused.
    fn refuse_any(&self, claims: &Claims, now: Seconds) -> Refusal {
        let Kind::Any(some) = &self.0 else { return Refusal::InvalidToken("the access token is not enough") };
        let refusals: Vec<Refusal> = some.iter().filter_map(|one| one.check(claims, now).err()).collect();
        let helps = |refusal: &&Refusal| match refusal {
            Refusal::InsufficientScope { scope, .. } => !scope.is_empty(),
            Refusal::InsufficientAuthentication { .. } => true,
            _ => false,
        };
        let words: Vec<String> = some.iter().map(Self::words).collect();
        let description = format!("one of these is required: {}", words.join("; "));
        match refusals.iter().find(helps) {
            Some(Refusal::InsufficientAuthentication { max_age }) => {
                Refusal::InsufficientAuthentication { max_age: *max_age }
            }
            Some(Refusal::InsufficientScope { scope, .. }) => {
                Refusal::InsufficientScope { scope: scope.clone(), description: description.into() }
            }
            _ => Refusal::InsufficientScope { scope: Vec::new(), description: description.into() },
        }
    }

    /// The scope that a client would have to ask for.
    fn scopes(&self) -> Vec<Cow<'static, str>> {
        match &self.0 {
            Kind::Scope(name) => vec![name.clone()],
            Kind::All(all) => all.iter().flat_map(Self::scopes).collect(),
            Kind::Any(some) => some.iter().map(Self::scopes).find(|scopes| !scopes.is_empty()).unwrap_or_default(),
            Kind::Role(_) | Kind::Fresh(_) | Kind::Person | Kind::Machine => Vec::new(),
        }
    }

    fn words(&self) -> String {
        let list = |all: &[Self], between: &str| all.iter().map(Self::words).collect::<Vec<_>>().join(between);
        match &self.0 {
            Kind::Scope(name) => format!("the scope {name}"),
            Kind::Role(name) => format!("the role {name}"),
            Kind::Fresh(max_age) => format!("a login of the last {max_age} seconds"),
            Kind::Person => "a person".to_owned(),
            Kind::Machine => "a machine".to_owned(),
            Kind::Any(some) => format!("({})", list(some, " or ")),
            Kind::All(all) => list(all, " and "),
        }
    }
}

/// RFC 9470 §3
fn check_age(claims: &Claims, max_age: Seconds, now: Seconds) -> Result<(), Refusal> {
    match claims.auth_time {
        Some(at) if now.saturating_sub(at) <= max_age => Ok(()),
        _ => Err(Refusal::InsufficientAuthentication { max_age }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Presented;

    const NOW: Seconds = 1_800_000_000;

    fn claims() -> Claims {
        Claims {
            scope: vec!["a".to_owned(), "b".to_owned()],
            roles: vec!["user".to_owned()],
            auth_time: Some(NOW - 100),
            ..Claims::new("anna", "app", Presented::Bearer)
        }
    }

    fn met(requirement: &Requirement) -> bool {
        requirement.check(&claims(), NOW).is_ok()
    }

    fn scope_of(requirement: &Requirement) -> Vec<Cow<'static, str>> {
        match requirement.check(&claims(), NOW) {
            Err(Refusal::InsufficientScope { scope, .. }) => scope,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_alone() {
        assert!(met(&scope("a")) && !met(&scope("c")) && !met(&scope("a b")));
        assert!(met(&role("user")) && !met(&role("admin")));
        assert!(met(&person()) && !met(&machine()));
        assert!(met(&fresh(Duration::from_secs(100))) && !met(&fresh(Duration::from_secs(99))));
        let machine_claims = Claims { sub: "app".to_owned(), auth_time: None, ..claims() };
        assert!(machine().check(&machine_claims, NOW).is_ok() && person().check(&machine_claims, NOW).is_err());
        assert!(fresh(Duration::MAX).check(&machine_claims, NOW).is_err(), "nobody logged in");
        let key = Claims { presented: Presented::ApiKey, ..claims() };
        assert!(person().check(&key, NOW).is_err(), "a person's key is no person");
    }

    #[test]
    fn together() {
        assert!(met(&all_of([])) && !met(&any_of([])));
        assert!(
            met(&any_of([scope("c"), scope("a")])) && met(&any_of([role("admin"), all_of([scope("a"), person()])]))
        );
        assert!(!met(&any_of([scope("c"), role("admin")])) && !met(&all_of([scope("a"), scope("c")])));
        assert!(met(&all_of([scope("a"), any_of([scope("b"), scope("c")])])));
    }

    #[test]
    fn a_refusal_names_what_to_ask_for() {
        assert_eq!(scope_of(&scope("c")), ["c"]);
        assert_eq!(scope_of(&all_of([scope("a"), role("admin"), scope("c")])), ["a", "c"], "all of it, to ask once");
        assert_eq!(scope_of(&any_of([role("admin"), scope("c"), scope("d")])), ["c"], "one way in");
        assert!(scope_of(&role("admin")).is_empty(), "asking does not help");
        assert!(scope_of(&any_of([])).is_empty());
        let old = any_of([role("admin"), fresh(Duration::from_secs(9))]).check(&claims(), NOW);
        assert_eq!(old, Err(Refusal::InsufficientAuthentication { max_age: 9 }));
        let old = all_of([scope("a"), fresh(Duration::from_secs(9))]).check(&claims(), NOW);
        assert_eq!(old, Err(Refusal::InsufficientAuthentication { max_age: 9 }));
    }
}
