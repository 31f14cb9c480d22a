-- nginx's side of the filter, the request's half: charter.lua is its module. The result is what the origin gets as Cookie.
local field = ngx.var.http_cookie
if not field then
   return ""
end
local kept, ids = require("charter").request_cookies(field, ngx.time(), ngx.unescape_uri)
ngx.ctx.ids = ids
return kept
