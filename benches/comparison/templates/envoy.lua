-- Envoy's side of the filter: charter.lua stands above it in one file.
local FILTER = "envoy.filters.http.lua"

local BYTES = {}
for byte = 0, 255 do
   BYTES[string.format("%02x", byte)], BYTES[string.format("%02X", byte)] = string.char(byte), string.char(byte)
end

local function unescape(value)
   return (string.gsub(value, "%%(%x%x)", BYTES))
end

function envoy_on_request(handle)
   local field = handle:headers():get("cookie")
   if not field then
      return
   end
   local kept, ids = request_cookies(field, os.time(), unescape)
   if kept ~= field then
      handle:headers():replace("cookie", kept)
   end
   handle:streamInfo():dynamicMetadata():set(FILTER, "ids", ids)
end

function envoy_on_response(handle)
   local headers = handle:headers()
   local count = headers:getNumValues("set-cookie")
   if count == 0 then
      return
   end
   local ids = (handle:streamInfo():dynamicMetadata():get(FILTER) or {}).ids or {}
   local kept = {}
   for number = 0, count - 1 do
      local line = headers:getAtIndex("set-cookie", number)
      if passes_line(line, ids) then
         kept[#kept + 1] = line
      end
   end
   if #kept < count then
      headers:remove("set-cookie")
      for _, line in ipairs(kept) do
         headers:add("set-cookie", line)
      end
   end
end
