-- nginx's side of the filter, the response's half.
local lines = ngx.header.set_cookie
if not lines then
   return
end
if type(lines) == "string" then
   lines = { lines }
end
local passes_line, ids, kept = require("charter").passes_line, ngx.ctx.ids or {}, {}
for number = 1, #lines do
   if passes_line(lines[number], ids) then
      kept[#kept + 1] = lines[number]
   end
end
if #kept < #lines then
   ngx.header.set_cookie = kept
end
