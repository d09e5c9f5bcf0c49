//! What nobody may guess, from the operating system's generator.

use axum::http::StatusCode;

/// 128 bits in hexadecimal: an attempt, a browser, a session.
pub fn id() -> Result<String, StatusCode> {
    Ok(format!("{:032x}", u128::from_ne_bytes(random()?)))
}

/// Six digits. Of 128 bits, what is left over a million is too little to favour
/// any of them.
pub fn code() -> Result<String, StatusCode> {
    Ok(format!("{:06}", u128::from_ne_bytes(random()?) % 1_000_000))
}

fn random() -> Result<[u8; 16], StatusCode> {
    let mut bytes = [0; 16];
    getrandom::getrandom(&mut bytes).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(bytes)
}
