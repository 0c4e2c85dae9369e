//! Names, places and words to make things up of. None belongs to anybody.

use super::dice::Dice;

const FIRST: [&str; 16] = [
    "Ada", "Bela", "Carla", "Dario", "Edda", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kaya", "Lino", "Mara", "Nils",
    "Olga", "Pavel",
];
const LAST: [&str; 16] = [
    "Adler", "Brandt", "Castell", "Dorn", "Engel", "Falk", "Gruber", "Hale", "Iversen", "Jansen", "Keller", "Lund",
    "Moreau", "Novak", "Olsen", "Petrov",
];
const WORDS: [&str; 24] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kestrel", "lagoon",
    "meadow", "north", "orchard", "pebble", "quartz", "river", "summit", "tundra", "umber", "valley", "willow",
    "zephyr",
];
const CITIES: [&str; 8] = ["Aarhus", "Bergen", "Coimbra", "Dresden", "Evora", "Fulda", "Ghent", "Halle"];
const COUNTRIES: [&str; 8] = ["AT", "BE", "CH", "DE", "DK", "FR", "NO", "PT"];

pub fn first_name(dice: &mut Dice) -> &'static str {
    dice.pick(&FIRST).unwrap_or_default()
}

pub fn last_name(dice: &mut Dice) -> &'static str {
    dice.pick(&LAST).unwrap_or_default()
}

pub fn name(dice: &mut Dice) -> String {
    format!("{} {}", first_name(dice), last_name(dice))
}

pub fn word(dice: &mut Dice) -> &'static str {
    dice.pick(&WORDS).unwrap_or_default()
}

pub fn email(dice: &mut Dice) -> String {
    let (first, last) = (first_name(dice).to_lowercase(), last_name(dice).to_lowercase());
    format!("{first}.{last}@example.com")
}

/// Something that a property of this name might be.
pub fn by_name(name: &str, dice: &mut Dice) -> String {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match name.as_str() {
        "firstname" | "givenname" | "forename" => first_name(dice).to_owned(),
        "lastname" | "familyname" | "surname" => last_name(dice).to_owned(),
        "fullname" | "displayname" | "owner" | "author" | "customer" => self::name(dice),
        "username" | "login" | "nickname" => first_name(dice).to_lowercase(),
        "email" | "mail" => email(dice),
        "city" | "town" => dice.pick(&CITIES).unwrap_or_default().to_owned(),
        "country" | "countrycode" => dice.pick(&COUNTRIES).unwrap_or_default().to_owned(),
        "currency" => dice.pick(&["CHF", "DKK", "EUR", "NOK"]).unwrap_or_default().to_owned(),
        "phone" | "phonenumber" | "telephone" => format!("+49 555 {:07}", dice.below(10_000_000)),
        "url" | "link" | "href" | "website" => format!("https://example.com/{}", word(dice)),
        "zip" | "zipcode" | "postcode" | "postalcode" => format!("{:05}", dice.below(100_000)),
        "description" | "text" | "comment" | "note" | "message" | "summary" => {
            format!("{} {} {} {}", word(dice), word(dice), word(dice), word(dice))
        }
        _ => word(dice).to_owned(),
    }
}
