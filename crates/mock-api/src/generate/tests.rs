//! Tests of generated answers against their schemas.

use serde_json::json;

use super::*;

fn root() -> Value {
    json!({"components": {"schemas": {
        "Node": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "next": {"$ref": "#/components/schemas/Node"},
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}}},
        "Tree": {"type": "object", "required": ["children"], "properties": {
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}},
        "Cat": {"type": "object", "required": ["kind", "meows"], "properties": {"kind": {"type": "string"}, "meows": {"type": "boolean"}}},
        "Dog": {"type": "object", "required": ["kind", "barks"], "properties": {"kind": {"type": "string"}, "barks": {"type": "boolean"}}},
        "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "minimum": 1}}},
    }}})
}

fn validator(root: &Value, schema: &Value) -> Validator {
    let mut whole = root.clone();
    whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    whole["allOf"] = json!([schema]);
    jsonschema::options().should_validate_formats(true).build(&whole).expect("a schema")
}

/// Of schemas as documents have them; the validator is asked afterwards, not while they are made, so that this shows what
/// the generator itself knows, and then with its help.
#[test]
fn what_is_made_satisfies_its_schema() {
    let schemas = [
        json!({}),
        json!(true),
        json!({"type": "string"}),
        json!({"type": "string", "minLength": 40}),
        json!({"type": "string", "maxLength": 2}),
        json!({"type": "string", "minLength": 3, "maxLength": 3}),
        json!({"type": "string", "format": "date-time"}),
        json!({"type": "string", "format": "date"}),
        json!({"type": "string", "format": "time"}),
        json!({"type": "string", "format": "duration"}),
        json!({"type": "string", "format": "uuid"}),
        json!({"type": "string", "format": "email"}),
        json!({"type": "string", "format": "hostname"}),
        json!({"type": "string", "format": "ipv4"}),
        json!({"type": "string", "format": "ipv6"}),
        json!({"type": "string", "format": "uri"}),
        json!({"type": "string", "format": "uri-reference"}),
        json!({"type": "string", "format": "uri-template"}),
        json!({"type": "string", "format": "json-pointer"}),
        json!({"type": "string", "format": "relative-json-pointer"}),
        json!({"type": "string", "format": "regex"}),
        json!({"type": "string", "format": "byte", "contentEncoding": "base64"}),
        json!({"type": "string", "format": "nobody-knows"}),
        json!({"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"}),
        json!({"type": "string", "pattern": "^[a-z]+$", "minLength": 12, "maxLength": 14}),
        json!({"type": "string", "enum": ["a", "b"]}),
        json!({"enum": [1, "b", {"c": []}]}),
        json!({"const": {"a": 1}}),
        json!({"type": ["string", "null"]}),
        json!({"type": "null"}),
        json!({"type": "integer"}),
        json!({"type": "integer", "minimum": 5, "maximum": 5}),
        json!({"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7}),
        json!({"type": "integer", "maximum": -1000}),
        json!({"type": "integer", "multipleOf": 7, "minimum": 50}),
        json!({"type": "integer", "multipleOf": 1000}),
        json!({"type": "number", "multipleOf": 0.01}),
        json!({"type": "number", "multipleOf": 0.25, "minimum": 1.1, "maximum": 1.3}),
        json!({"type": "number", "minimum": 0, "maximum": 0.001}),
        json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        json!({"type": "number", "minimum": -3.5, "maximum": -3.25}),
        json!({"type": "boolean"}),
        json!({"type": "array", "items": {"type": "integer"}}),
        json!({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 4}, "uniqueItems": true, "minItems": 4}),
        json!({"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": true}),
        json!({"type": "array", "maxItems": 0}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
        json!({"type": "array", "contains": {"const": 7}, "items": {"type": "integer"}, "maxItems": 2}),
        json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "additionalProperties": false}),
        json!({"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}}),
        json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3}),
        json!({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 1}),
        json!({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"], "maxProperties": 1}),
        json!({"type": "object", "patternProperties": {"^x-": {"type": "integer"}}, "minProperties": 2, "additionalProperties": false}),
        json!({"type": "object", "propertyNames": {"pattern": "^[a-z]{3}$"}, "minProperties": 2}),
        json!({"type": "object", "properties": {"a": {}, "b": {"type": "integer"}}, "required": ["a"], "dependentRequired": {"a": ["b"]}}),
        json!({"allOf": [{"$ref": "#/components/schemas/Base"}, {"type": "object", "required": ["n"], "properties": {"n": {"type": "string"}, "id": {"maximum": 3}}}]}),
        json!({"allOf": [{"type": "integer", "minimum": 3}, {"type": "number", "maximum": 4}]}),
        json!({"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}], "discriminator": {"propertyName": "kind"}}),
        json!({"oneOf": [{"type": "integer", "multipleOf": 2}, {"type": "integer", "multipleOf": 3}]}),
        json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        json!({"type": "integer", "not": {"const": 5}, "minimum": 5, "maximum": 6}),
        json!({"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}, "type": "object", "properties": {"a": {"enum": [1, 2]}, "b": {}}}),
        json!({"$ref": "#/components/schemas/Node"}),
        json!({"$ref": "#/components/schemas/Tree"}),
        json!({"type": "array", "items": {"$ref": "#/components/schemas/Node"}, "minItems": 2}),
        json!({"type": "string", "example": 5}),
        json!({"type": "object", "properties": {"a": {"type": "integer", "example": "no"}}, "required": ["a"]}),
    ];
    let root = root();
    for schema in &schemas {
        let validator = validator(&root, schema);
        for seed in 0..30 {
            let dice = Dice::new(seed, &["test"]);
            let made = value(&root, schema, Some(&validator), &dice, Examples::Used);
            let faults: Vec<String> = validator.iter_errors(&made).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "seed {seed}: {schema}\nmade {made}\n{faults:?}");
            assert_eq!(made, value(&root, schema, Some(&validator), &dice, Examples::Used), "the same again");
        }
    }
}

/// Most of it is right at once: asking a validator sixteen times would take its time.
#[test]
fn the_first_attempt_is_mostly_right() {
    let schema = json!({"type": "object", "required": ["id", "at", "tags", "price", "by"], "additionalProperties": false, "properties": {
        "id": {"type": "string", "format": "uuid"}, "at": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true, "minItems": 2},
        "price": {"type": "number", "multipleOf": 0.05, "exclusiveMinimum": 0},
        "by": {"allOf": [{"$ref": "#/components/schemas/Base"}]}, "code": {"type": "string", "pattern": "^[A-Z]{3}$"}}});
    let root = root();
    let validator = validator(&root, &schema);
    let right = (0..200)
        .filter(|seed| validator.is_valid(&value(&root, &schema, None, &Dice::new(*seed, &[]), Examples::Used)))
        .count();
    assert!(right > 195, "{right} of 200");
}

#[test]
fn examples_are_used_and_may_be_ignored() {
    let schema = json!({"type": "object", "required": ["a", "b", "c"], "properties": {
        "a": {"type": "string", "example": "said"}, "b": {"type": "string", "examples": ["listed"]}, "c": {"type": "integer", "default": 7}}});
    let root = json!({});
    let made = value(&root, &schema, None, &Dice::new(1, &[]), Examples::Used);
    assert_eq!(made, json!({"a": "said", "b": "listed", "c": 7}));
    let other = value(&root, &schema, None, &Dice::new(1, &[]), Examples::Ignored);
    assert_ne!(other["a"], "said");
}

#[test]
fn what_is_only_written_is_not_made() {
    let root = json!({"components": {"schemas": {"Secret": {"type": "string", "writeOnly": true}}}});
    let schema = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"}, "password": {"type": "string", "writeOnly": true}, "pin": {"$ref": "#/components/schemas/Secret"}}});
    for seed in 0..20 {
        let made = value(&root, &schema, None, &Dice::new(seed, &[]), Examples::Used);
        assert!(made.get("password").is_none() && made.get("pin").is_none(), "{made}");
    }
}

#[test]
fn what_nothing_satisfies_ends_nevertheless() {
    let root = json!({"components": {"schemas": {"Endless": {"type": "object", "required": ["more"], "properties": {"more": {"$ref": "#/components/schemas/Endless"}}}}}});
    let schema = json!({"$ref": "#/components/schemas/Endless"});
    let validator = validator(&root, &schema);
    assert!(value(&root, &schema, Some(&validator), &Dice::new(1, &[]), Examples::Used).is_object());
}
