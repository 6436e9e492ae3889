//! Variations of the recipe that mean the same: a layer is a set, tables have no order, and JSON is the same shape.

use super::source::{RECIPE, Twin, destination, differs, hold, rebake};
use serde_json::{Map, Value};
use std::fs;
use toml::de::{DeTable, DeValue};

/// The recipe's head (tables, each a paragraph) and its layers (a paragraph each, and one a statement).
fn paragraphs() -> (Vec<String>, Vec<Vec<String>>) {
    let mut head = Vec::new();
    let mut layers: Vec<Vec<String>> = Vec::new();
    for paragraph in RECIPE.trim_end().split("\n\n").map(str::to_owned) {
        if paragraph.starts_with("[[layer]]") {
            layers.push(vec![paragraph]);
        } else if let Some(layer) = layers.last_mut() {
            layer.push(paragraph);
        } else {
            head.push(paragraph);
        }
    }
    (head, layers)
}

/// A table with its keys turned round.
fn turned(paragraph: &str) -> String {
    let mut lines: Vec<&str> = paragraph.lines().collect();
    lines[1..].reverse();
    lines.join("\n")
}

#[test]
fn the_order_of_statements_and_tables() {
    let (head, layers) = paragraphs();
    assert!(head.len() > 6 && layers.len() == 4 && layers[0].len() > 8);
    for turn in 1..=4 {
        let (mut head, mut layers) = (head.clone(), layers.clone());
        head[1..].rotate_left(turn);
        for layer in &mut layers {
            let statements = &mut layer[1..];
            let length = statements.len();
            statements.rotate_left(turn % length);
            if turn % 2 == 0 {
                statements.reverse();
            }
        }
        let edition = head.remove(0);
        let rest: Vec<String> = head.iter().chain(layers.iter().flatten()).map(|text| turned(text)).collect();
        let text = format!("{edition}\n\n{}\n", rest.join("\n\n"));
        differs("the recipe", &RECIPE, &text.as_str());
        let twin = Twin::new();
        fs::write(twin.recipe(), text).unwrap();
        twin.hold(&[]);
    }
}

fn json(value: &DeValue) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => Value::from(number.as_str().parse::<i64>().unwrap()),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Array(values) => values.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(object(table)),
        DeValue::Float(_) | DeValue::Datetime(_) => panic!("the recipe has none"),
    }
}

fn object(table: &DeTable) -> Map<String, Value> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
}

#[test]
fn toml_or_json() {
    let value = Value::Object(object(DeTable::parse(RECIPE).unwrap().get_ref()));
    for text in [value.to_string(), format!("{value:#}")] {
        differs("the recipe", &RECIPE, &text.as_str());
        let twin = Twin::new();
        fs::remove_file(twin.recipe()).unwrap();
        let recipe = twin.source().join("rebake.json");
        fs::write(&recipe, text).unwrap();
        let mut command = rebake(&[]);
        command.arg("build").arg(recipe).arg("-o").arg(destination("oci", &twin.out()));
        hold(command, &twin.out());
    }
}

/// Comments, line ends and another spelling of the same values.
#[test]
fn spelling() {
    let commented = format!("# a comment\n{}", RECIPE.replace('\n', "   # more\n"));
    let dos = RECIPE.replace('\n', "\r\n");
    let literal = RECIPE.replace("\"data/small/*7\"", "'data/small/*7'").replace("[8080,", "[ 0x1f90 ,");
    for text in [commented, dos, literal] {
        differs("the recipe", &RECIPE, &text.as_str());
        let twin = Twin::new();
        fs::write(twin.recipe(), text).unwrap();
        twin.hold(&[]);
    }
}
