//! What a host that counts by session knows of one: where a request carries its token. Nothing here opens a token.

/// The cookie that carries the token. The prefix makes browsers keep it to this very host (RFC 6265bis, 4.1.3.2).
pub const COOKIE: &str = "__Host-railbird";

/// How many answers of one session wait at a time, at one instance of the edge: a player of two renditions that changes both
/// has four. Who asks for one more is answered at once.
pub const WAITS_MAX: usize = 4;

/// How many answers of one session wait at a time for news of the score, at one instance of the edge: a page has one, and one
/// that was left may still wait. Who asks for one more is answered at once.
pub const FOLLOWS_MAX: usize = 2;

/// The value of a cookie in the `cookie` headers of a request, of which HTTP/2 may send several. The first one counts.
pub fn cookie<'a>(headers: impl IntoIterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = headers.into_iter().flat_map(|header| header.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The token of a request: the one in its path (`/t/{token}/…`) before that of the cookie.
pub fn token<'a>(path: &'a str, cookies: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let in_path = path.strip_prefix("/t/").and_then(|rest| rest.split('/').next());
    in_path.filter(|token| !token.is_empty()).or_else(|| cookie(cookies, COOKIE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_where_the_edge_looks_for_it() {
        let cookies = ["theme=dark; __Host-railbird=one;x=y", "__Host-railbird=two"];
        assert_eq!(token("/live/table-1/a/source.m3u8", cookies), Some("one"));
        assert_eq!(token("/t/three/live/table-1/a/source.m3u8", cookies), Some("three"));
        assert_eq!(token("/t//live/table-1/a/source.m3u8", cookies), Some("one"));
        assert_eq!(token("/live/t/three", []), None);
        for other in ["__Host-railbirdx=a", "x__Host-railbird=a", "__Host-railbird", ""] {
            assert_eq!(token("/", [other]), None, "{other}");
        }
    }
}
