# Varnish as a cache of GitHub: grace (stale answers while one fetch runs behind), requests for one
# cold key wait for one fetch, bodies stored gzipped and unpacked for who wants them plain. It checks
# no caller's key. @NAMES@ are filled in by subjects.py.

vcl 4.1;

backend github {
    .host = "@HOST@";
    .port = "@GITHUB_PORT@";
    .max_connections = 100;
}

sub vcl_recv {
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # Who asks doesn't matter: everybody has the service's eyes.
    unset req.http.Authorization;
    unset req.http.Cookie;
    return (hash);
}

sub vcl_hash {
    hash_data(req.url);
    hash_data(req.http.Accept);
    return (lookup);
}

sub vcl_backend_fetch {
    set bereq.http.Authorization = "Bearer @TOKEN@";
}

sub vcl_backend_response {
    # GitHub says private and max-age=60, and varies on Authorization: we decide.
    unset beresp.http.Vary;
    unset beresp.http.Set-Cookie;
    # What Forewarm doesn't repeat either.
    unset beresp.http.X-OAuth-Scopes;
    unset beresp.http.X-Accepted-OAuth-Scopes;
    unset beresp.http.Access-Control-Allow-Origin;
    unset beresp.http.Access-Control-Expose-Headers;
    unset beresp.http.Referrer-Policy;
    unset beresp.http.Strict-Transport-Security;
    unset beresp.http.X-Content-Type-Options;
    unset beresp.http.X-Frame-Options;
    unset beresp.http.X-XSS-Protection;
    unset beresp.http.Content-Security-Policy;
    if (beresp.status == 200) {
        set beresp.ttl = @FRESH@s;
        set beresp.grace = 5m;
        set beresp.keep = 7d;
    } else if (beresp.status == 404) {
        set beresp.ttl = 60s;
    } else {
        set beresp.uncacheable = true;
    }
    return (deliver);
}

sub vcl_deliver {
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    } else {
        set resp.http.X-Cache = "MISS";
    }
}
