-- Requests for the paths of a file, one a line, in turn: `wrk -s paths.lua URL -- FILE`.
-- The URL's own path is what each of them begins with. All are made before the first is sent.

local requests = {}
local turn = 0

function init(arguments)
    local prefix = wrk.path
    if prefix == "/" then
        prefix = ""
    end
    for line in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format("GET", prefix .. line)
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end
