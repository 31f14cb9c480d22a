-- The charter of site.toml as one would write it in Lua: which cookies pass, given what the visitor has said. It searches for plain
-- text rather than for patterns, which LuaJIT does not compile, and a field of which nothing is dropped is handed on as it is.
local find, sub = string.find, string.sub

local DAY = 86400
local CONSENT = "cookies_preferences"
local NECESSARY = { sessionid = true, csrftoken = true, [CONSENT] = true }
local NEEDS = { { "_pk_id.", "matomo" }, { "_pk_ses.", "matomo" } }
local IDS = { "matomo" }

-- The ids that the visitor has granted, out of JSON that is no older than six months.
local function granted(json, now)
   local ids = {}
   local time = tonumber(string.match(json, '"timestamp":(%d+)'))
   if time and time / 1000 <= now and now - time / 1000 < 180 * DAY then
      for _, id in ipairs(IDS) do
         ids[id] = find(json, '"' .. id .. '":true', 1, true) ~= nil
      end
   end
   return ids
end

local function passes(name, ids)
   if NECESSARY[name] then
      return true
   end
   for _, need in ipairs(NEEDS) do
      if sub(name, 1, #need[1]) == need[1] then
         return ids[need[2]]
      end
   end
   return false
end

local function name_of(pair, ends)
   local equals = find(pair, "=", 1, true)
   return sub(pair, 1, equals and equals <= ends and equals - 1 or ends)
end

-- What is left of a Cookie field, and the ids that were granted in it. `unescape` is the proxy's own percent-decoder.
local function request_cookies(field, now, unescape)
   local pairs_, names, count, ids = {}, {}, 0, {}
   local from = 1
   while from <= #field do
      local ends = (find(field, ";", from, true) or #field + 1) - 1
      local pair = sub(field, from, ends)
      local name = name_of(pair, #pair)
      count = count + 1
      pairs_[count], names[count] = pair, name
      if name == CONSENT then
         ids = granted(unescape(sub(pair, #CONSENT + 2)), now)
      end
      from = ends + 2
      while sub(field, from, from) == " " do
         from = from + 1
      end
   end
   local kept = {}
   for number = 1, count do
      if passes(names[number], ids) then
         kept[#kept + 1] = pairs_[number]
      end
   end
   return #kept == count and field or table.concat(kept, "; "), ids
end

local function passes_line(line, ids)
   return passes(name_of(line, (find(line, ";", 1, true) or #line + 1) - 1), ids)
end
