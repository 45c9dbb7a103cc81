-- Claims a key, or says whose it is. See use.Store. The last number is 1 if the claim was there
-- before, and its lease begins anew.
--
-- A key is the text "done", or "claim", the token and how many claims before it have lapsed. A claim
-- is kept for longer than its lease, so that the next one knows of it: for remembered milliseconds.
local key, token, lease, remembered = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local new, busy, done = 1, 2, 3

local held, lapses, renewed = redis.call('GET', key), 0, 0
if held == 'done' then
  return {done, 0, 0, 0}
elseif held then
  local owner, before = string.match(held, '^claim (%x+) (%d+)$')
  local ttl = redis.call('PTTL', key)
  if not owner or ttl < 0 then
    return redis.error_reply('ERR the key holds no claim of bunnicula')
  end
  lapses = tonumber(before)
  if owner == token then
    renewed = 1
  else
    if ttl > remembered then
      return {busy, ttl - remembered, 0, 0}
    end
    lapses = lapses + 1
  end
end
redis.call('SET', key, 'claim ' .. token .. ' ' .. string.format('%d', lapses), 'PX', lease + remembered)
return {new, 0, lapses, renewed}
