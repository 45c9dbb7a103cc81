-- Ends a claim. With a keep above 0 it marks the key as done for so many milliseconds, with 0 it frees
-- the key, and with -1 it gives the claim back: nobody was handled by it, so the claims that have
-- lapsed before it still count. See use.Store, and claim.lua for what a key is.
local key, token, keep, remembered = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local held = redis.call('GET', key)
local lapses = 0
if held then
  local owner, before = string.match(held, '^claim (%x+) (%d+)$')
  if not owner and held ~= 'done' then
    return redis.error_reply('ERR the key holds no claim of bunnicula')
  end
  local lapsed = owner and redis.call('PTTL', key) <= remembered
  if owner ~= token and not (lapsed and keep > 0) then
    return 0
  end
  lapses = tonumber(before)
end
if keep > 0 then
  redis.call('SET', key, 'done', 'PX', keep)
elseif keep < 0 and lapses > 0 then -- as the last of them has left it, with a token that is nobody's
  redis.call('SET', key, 'claim 0 ' .. string.format('%d', lapses - 1), 'PX', remembered)
elseif held then
  redis.call('DEL', key)
end
return 1
