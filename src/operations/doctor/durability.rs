//! Whether what is committed is on disk: the settings of the database that promise 1 rests on.

use super::Check;
use crate::db::{Conn, health};
use crate::operations::OperationError;

pub(super) fn durability(conn: &mut Conn) -> Result<Check, OperationError> {
    let name = "durability";
    let all = health::durability(conn)?;
    let told = |one: &health::Durability| format!("{}={}", one.setting, one.value);
    let bad: Vec<&health::Durability> = all.iter().filter(|one| !one.enough).collect();
    if bad.is_empty() {
        let all: Vec<String> = all.iter().map(told).collect();
        return Ok(Check::ok(name, all.join(", ")));
    }
    let findings: Vec<String> = bad.iter().map(|one| told(one)).collect();
    let advice: Vec<&str> = bad.iter().map(|one| one.advice).collect();
    Ok(Check::fail(name, findings.join(", "), advice.join("; ")))
}
