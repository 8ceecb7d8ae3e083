//! How much a template may ask of the engine, counted before the engine's parser sees it. That parser,
//! its compiler and the release of what they built call themselves once for each operator, bracket, `elif` or
//! block inside another: their stack is the author's to fill, so what they are given is small.
//!
//! Counted by the engine's own lexer: a second one that disagreed about where code ends (`{{ (}} … ) }}`
//! goes on) would count something else than what is parsed.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::TemplateError;

/// Words and signs within one `{{ … }}` or `{% … %}`: nothing within it nests deeper than that.
const IN_ONE: usize = 250;
/// Words and signs in all of them together: what parsing costs.
const IN_ALL: usize = 5_000;
/// `if` and `for` within each other, each `elif` counted as one more.
const NESTED: usize = 50;

/// The stack of the thread on which templates are parsed and filled in: several times what the bounds allow.
const STACK: usize = 8 * 1024 * 1024;

/// Counts, and refuses what is over. What the lexer cannot read is left for the parser to tell.
pub(super) fn check(source: &str) -> Result<(), TemplateError> {
    let (mut all, mut here) = (0_usize, 0_usize);
    let mut opened: Vec<usize> = Vec::new();
    let mut names_statement = false;
    for token in tokenize(source, false, SyntaxConfig::default()) {
        let Ok((token, _)) = token else {
            return Ok(());
        };
        match &token {
            Token::TemplateData(_) | Token::VariableEnd | Token::BlockEnd => {}
            Token::VariableStart | Token::BlockStart => here = 0,
            _ => here += 1,
        }
        if let Token::Ident(name) = &token
            && names_statement
        {
            nest(&mut opened, name);
        }
        names_statement = matches!(token, Token::BlockStart);
        all += 1;
        if here > IN_ONE {
            return Err(TemplateError::TooLongExpression);
        }
        if all > IN_ALL {
            return Err(TemplateError::TooMuchCode);
        }
        if opened.iter().sum::<usize>() > NESTED {
            return Err(TemplateError::TooDeep);
        }
    }
    Ok(())
}

fn nest(opened: &mut Vec<usize>, statement: &str) {
    match statement {
        "else" => {}
        "elif" => {
            if let Some(last) = opened.last_mut() {
                *last += 1;
            }
        }
        end if end.starts_with("end") => drop(opened.pop()),
        _ => opened.push(1),
    }
}

/// Runs the engine on a thread whose stack is known, whoever calls: a sender's, an operator's command, a test.
pub(super) fn apart<T: Send>(
    work: impl FnOnce() -> Result<T, TemplateError> + Send,
) -> Result<T, TemplateError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("rollcall-template".into())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|_| TemplateError::NoThread)?
            .join()
            .unwrap_or(Err(TemplateError::TooMuch))
    })
}

/// How many words and signs one place may hold, for the sentence that says so.
pub(super) const fn limits() -> (usize, usize, usize) {
    (IN_ONE, IN_ALL, NESTED)
}
