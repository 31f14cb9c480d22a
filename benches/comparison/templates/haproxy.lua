-- HAProxy's side of the filter: charter.lua stands above it in one file.
core.register_action("filter_request", { "http-req" }, function(txn)
   local field = txn.f:req_fhdr("cookie")
   if not field then
      return
   end
   local kept, ids = request_cookies(field, core.now().sec, function(value)
      return txn.c:url_dec(value)
   end)
   if kept ~= field then
      txn.http:req_set_header("cookie", kept)
   end
   txn:set_priv(ids)
end)

core.register_action("filter_response", { "http-res" }, function(txn)
   local lines = txn.http:res_get_headers()["set-cookie"]
   if not lines then
      return
   end
   local ids, kept, count = txn:get_priv() or {}, {}, 0
   for number = 0, #lines do -- HAProxy counts from 0
      count = count + 1
      if passes_line(lines[number], ids) then
         kept[#kept + 1] = lines[number]
      end
   end
   if #kept < count then
      txn.http:res_del_header("set-cookie")
      for _, line in ipairs(kept) do
         txn.http:res_add_header("set-cookie", line)
      end
   end
end)
