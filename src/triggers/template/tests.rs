//! What authors may write, and what people's names may try.

use serde_json::json;

use super::*;

fn ada() -> Value {
    json!({
        "id": "p1", "first_name": "Ada", "display_name": "Ada Lovelace", "department": null, "title": "",
        "email": "ada@example.com", "attributes": {"shirt": "M", "level": 7, "desk": null, "address": {"city": "London"}},
        "communities": [{"id": "c1", "name": "Runners", "role": "member"}],
    })
}

fn text(template: &str) -> String {
    render(template, &ada(), Escape::PlainText)
        .unwrap_or_else(|error| panic!("{template}: {error}"))
}

fn named(name: &str, template: &str, escape: Escape) -> String {
    render(template, &json!({ "display_name": name }), escape)
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn fields_are_filled_in_by_name() {
    assert_eq!(
        text("Hi {{ first_name }}, size {{ attributes.shirt }}, level {{ attributes.level }}."),
        "Hi Ada, size M, level 7."
    );
    assert_eq!(
        text(
            "{% for c in communities %}{{ c.name }}{% if not loop.last %}, {% endif %}{% endfor %}"
        ),
        "Runners"
    );
    assert_eq!(
        text("{{ attributes.address.city | upper }} {{ attributes[\"shirt\"] }}"),
        "LONDON M"
    );
}

#[test]
fn a_fallback_works_for_null_empty_and_absent_alike() {
    for missing in [
        "department",
        "title",
        "pronouns",
        "community",
        "attributes.desk",
        "attributes.nosuch",
    ] {
        assert_eq!(
            text(&format!("{{{{ {missing} | default(\"your team\") }}}}")),
            "your team",
            "{missing}"
        );
        assert_eq!(text(&format!("[{{{{ {missing} }}}}]")), "[]", "{missing}");
        assert_eq!(
            text(&format!("[{{{{ {missing} | upper }}}}]")),
            "[]",
            "{missing}"
        );
        assert_eq!(
            text(&format!(
                "{{% if {missing} %}}yes{{% else %}}no{{% endif %}}"
            )),
            "no",
            "{missing}"
        );
    }
}

#[test]
fn the_first_name_falls_back_to_the_display_name() {
    assert_eq!(
        named("Grace Hopper", "Hi {{ first_name }}", Escape::PlainText),
        "Hi Grace Hopper"
    );
    let nobody = render(
        "Hi {{ first_name | default('there') }}",
        &json!({}),
        Escape::PlainText,
    );
    assert_eq!(nobody.as_deref(), Ok("Hi there"));
}

#[test]
fn unknown_variables_are_named_together_with_the_known_ones() {
    let error = check("Hi {{ firstname }} of {% if dept %}{{ email.domain }}{% endif %}").err();
    let Some(TemplateError::UnknownVariables(names)) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(names, &["dept", "email.domain", "firstname"]);
    assert!(error.is_some_and(|error| error.to_string().contains("known are id, organization_id")));
}

#[test]
fn what_is_not_offered_is_refused_when_saved() {
    for template in [
        "{% include 'x' %}",
        "{%- extends 'x' -%}",
        "{% import 'x' as y %}",
        "{% macro m() %}{% endmacro %}",
        "{% set x = 1 %}",
        "{% raw %}{{ x }}{% endraw %}",
        "{% autoescape false %}{{ display_name }}{% endautoescape %}",
        "{% filter upper %}x{% endfilter %}",
        "{% do x() %}",
        "{{ display_name | safe }}",
        "{% if false %}{{ display_name|safe }}{% endif %}",
        "{{ '|' ~ display_name|tojson }}",
        "{{ display_name is defined }}",
        "{% for x in communities if x is odd %}{% endfor %}",
        "{{ range(10) }}",
        "{{ display_name.upper() }}",
        "{{ attributes.items () }}",
        "{{ self }}",
        "{{ debug() }}",
        "{{ first_name",
        "{% if first_name %}",
        "{{ }}",
        "{{ 'never closed }}",
    ] {
        assert!(check(template).is_err(), "{template}");
    }
}

#[test]
fn quoted_text_and_comments_are_not_code() {
    assert_eq!(
        text("{{ \"a | b is }} c\" }}{# {% include %} #}"),
        "a | b is }} c"
    );
    assert_eq!(text("{{ 'it\\'s | x' }}"), "it's | x");
    assert_eq!(text("a { b } c"), "a { b } c");
}

#[test]
fn the_check_says_the_line() {
    let error = check("one\ntwo {{ first_name + }}");
    assert!(
        matches!(error, Err(TemplateError::Syntax { line: 2, .. })),
        "{error:?}"
    );
}

#[test]
fn a_name_cannot_ping_or_format_html() {
    let name = "<!channel> & <b>\"Bobby\"</b>";
    assert_eq!(
        named(name, "<b>{{ display_name }}</b>", Escape::Slack),
        "<b>&lt;!channel&gt; &amp; &lt;b&gt;\"Bobby\"&lt;/b&gt;</b>"
    );
    let html = named(name, "<b>{{ display_name }}</b>", Escape::Html);
    assert!(
        html.starts_with("<b>&lt;!channel&gt; &amp; &lt;b&gt;") && html.ends_with("</b>"),
        "{html}"
    );
    assert!(!html.contains('\"'), "{html}");
    assert_eq!(named(name, "{{ display_name }}", Escape::PlainText), name);
    let built = "{{ '<' ~ display_name ~ '>' }}{{ display_name | upper }}{{ [display_name] | join('<') }}{{ [display_name] }}";
    assert!(!named(name, built, Escape::Slack).contains('<'));
    assert!(!named(name, built, Escape::Html).contains('<'));
}

#[test]
fn a_name_cannot_break_out_of_a_header() {
    let name = "Ada\r\nBcc: all@example.com\u{0}\u{85}\u{2028}x";
    let subject = named(name, "Welcome\n{{ display_name }}", Escape::Header);
    assert_eq!(subject, "Welcome Ada Bcc: all@example.com x");
    assert!(!named(name, "{{ display_name }}", Escape::PlainText).contains(['\r', '\u{0}']));
}

#[test]
fn a_name_is_never_read_as_a_template() {
    assert_eq!(
        named(
            "{{ email }}{% include 'x' %}",
            "{{ display_name }}",
            Escape::PlainText
        ),
        "{{ email }}{% include 'x' %}"
    );
}

#[test]
fn runaway_work_and_endless_text_are_stopped() {
    let long = "x".repeat(4_000);
    let vars = json!({"display_name": long, "communities": vec![1; 400]});
    let nest = "{% for a in communities %}{% for b in communities %}{% for c in communities %}.{% endfor %}{% endfor %}{% endfor %}";
    assert_eq!(
        render(nest, &vars, Escape::PlainText),
        Err(TemplateError::TooMuch)
    );
    let wide = "{% for a in communities %}{{ display_name }}{% endfor %}";
    assert_eq!(
        render(wide, &vars, Escape::PlainText),
        Err(TemplateError::TooMuch)
    );
    assert!(render("{{ 'a' * 100000000 }}", &vars, Escape::PlainText).is_err());
    assert!(render("{{ display_name * 100000000 }}", &vars, Escape::PlainText).is_err());
    assert_eq!(
        check(&"x".repeat(MAX_SOURCE + 1)),
        Err(TemplateError::TooLong)
    );
}
