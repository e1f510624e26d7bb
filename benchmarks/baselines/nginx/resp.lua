-- The least of a client for Redis that the gate needs: one command, one reply, over a pooled connection.
local resp = {}

local function read(sock)
  local line, err = sock:receive()
  if not line then return nil, err end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "+" then return rest end
  if kind == "-" then return nil, rest end
  if kind == ":" then return tonumber(rest) end
  if kind == "$" then
    local size = tonumber(rest)
    if size < 0 then return ngx.null end
    local data, failed = sock:receive(size + 2)
    return data and data:sub(1, size), failed
  end
  if kind == "*" then
    local found = {}
    for i = 1, tonumber(rest) do
      local value, failed = read(sock)
      if failed then return nil, failed end
      found[i] = value
    end
    return found
  end
  return nil, "no reply: " .. line
end

-- The reply of a command, or nil and what went wrong.
function resp.call(address, ...)
  local sock = ngx.socket.tcp()
  sock:settimeout(2000)
  local ok, err = sock:connect(address)
  if not ok then return nil, err end
  local parts, count = {}, select("#", ...)
  parts[1] = "*" .. count .. "\r\n"
  for i = 1, count do
    local text = tostring((select(i, ...)))
    parts[i + 1] = "$" .. #text .. "\r\n" .. text .. "\r\n"
  end
  local sent, failed = sock:send(parts)
  if not sent then return nil, failed end
  local reply, wrong = read(sock)
  sock:setkeepalive(60000, 1024)
  return reply, wrong
end

return resp
