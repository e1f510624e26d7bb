-- The gate's work in nginx and Lua. For each request: the key's SHA-1 is looked up; the body is parsed; size, quality
-- and number of outputs are checked against one model's lists; the price is worked out; one script holds the credits,
-- all or nothing; when the answer is out a timer settles them: all of the hold for a 200, nothing for anything else.
-- Left out: other models and dialects, limits, what an answer really contains, idempotency, jobs, headers, metrics,
-- log lines, outcomes that the store could not take, and books that can be derived again (it writes a journal).
local cjson, resp = require "cjson.safe", require "resp"
local gate = {}

local STORE, CREDITS = os.getenv("GATE_STORE"), tonumber(os.getenv("GATE_CREDITS"))
local SIZES = {["1024x1024"] = true, ["1536x1024"] = true, ["1024x1536"] = true, auto = true}
local QUALITIES = {low = true, medium = true, high = true, auto = true}

local function digest(key)
  return (ngx.sha1_bin(key):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local TEAMS

local HOLD = [[
  if tonumber(redis.call('HGET', KEYS[1], 'left') or '0') < tonumber(ARGV[2]) then return 0 end
  redis.call('HINCRBY', KEYS[1], 'left', '-' .. ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'held', ARGV[2])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('XADD', KEYS[3], '*', 'hold', ARGV[1], 'credits', ARGV[2])
  return 1]]
local SETTLE = [[
  local held = redis.call('HGET', KEYS[2], ARGV[1])
  if not held then return 0 end
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('HINCRBY', KEYS[1], 'held', '-' .. held)
  redis.call('HINCRBY', KEYS[1], 'charged', ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'left', string.format('%d', tonumber(held) - tonumber(ARGV[2])))
  redis.call('XADD', KEYS[3], '*', 'settle', ARGV[1], 'credits', ARGV[2])
  return 1]]
local SHA = {}

local function run(name, text, ...)
  SHA[name] = SHA[name] or digest(text)
  local reply, err = resp.call(STORE, "EVALSHA", SHA[name], 3, ...)
  if err and err:find("NOSCRIPT", 1, true) then return resp.call(STORE, "EVAL", text, 3, ...) end
  return reply, err
end

local function refuse(status, code)
  ngx.status = status
  ngx.header.content_type = "application/json"
  ngx.print(cjson.encode({error = {code = code, type = "invalid_request_error"}}))
  return ngx.exit(status)
end

function gate.admit()
  TEAMS = TEAMS or {[digest(os.getenv("GATE_KEY"))] = "bench", [digest(os.getenv("GATE_BROKE_KEY"))] = "broke"}
  local key = (ngx.var.http_authorization or ""):match("^Bearer (.+)$")
  local team = key and TEAMS[digest(key)]
  if not team then return refuse(401, "unknown_key") end
  ngx.req.read_body()
  local asked = cjson.decode(ngx.req.get_body_data() or "")
  if type(asked) ~= "table" or type(asked.prompt) ~= "string" then return refuse(400, "malformed_request") end
  local outputs = asked.n or 1
  if asked.model ~= "bench-painter" then return refuse(404, "unknown_model") end
  if not SIZES[asked.size or "auto"] then return refuse(400, "unsupported_size") end
  if not QUALITIES[asked.quality or "auto"] then return refuse(400, "unsupported_quality") end
  if type(outputs) ~= "number" or outputs < 1 or outputs > 10 then return refuse(400, "too_many_outputs") end
  local credits, id = outputs * CREDITS, ngx.var.request_id
  local held, err = run("hold", HOLD, "{" .. team .. "}:bal", "{" .. team .. "}:open", "{" .. team .. "}:j", id, credits)
  if err then return refuse(503, "store_away") end
  if held ~= 1 then return refuse(402, "over_budget") end
  ngx.ctx.held = {team, id, credits}
end

local function book(_, team, id, credits)
  run("settle", SETTLE, "{" .. team .. "}:bal", "{" .. team .. "}:open", "{" .. team .. "}:j", id, credits)
end

function gate.settle()
  local held = ngx.ctx.held
  if held then ngx.timer.at(0, book, held[1], held[2], ngx.status == 200 and held[3] or 0) end
end

return gate
