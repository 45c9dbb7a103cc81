-- The rule of limits, use/line.go and use/places.go, in Lua. All times are in microseconds. now is
-- set before.
--
-- What is known of a key is one sorted set, whose scores are times: of "next", the first moment that
-- is not given; of "end", the place that the next message gets; of "until", when the line counts as empty if
-- nobody has come in time; and of "=" and a message id, the place of that message.
local key, id = KEYS[1], ARGV[1]
local every, ahead = tonumber(ARGV[2]), tonumber(ARGV[3])
local near, patience, first = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local farthest, quiet = 365 * 24 * 3600 * 1000000, 60 * 1000000

local function at(member)
	local score = redis.call('ZSCORE', key, member)
	return score and tonumber(score)
end

local moment, stop, believed, place = at('next') or 0, at('end') or 0, at('until') or 0, at(id)

-- save begins with the command that Redis refuses when it has no memory left or takes no writes. What
-- is older than old changes no answer; without an ask, the whole set is forgotten as late as that.
local function save(...)
	local old = math.max(near, ahead)
	redis.call('ZADD', key, moment, 'next', stop, 'end', believed, 'until', ...)
	redis.call('ZREMRANGEBYSCORE', key, '-inf', now - old - 1)
	redis.call('PEXPIRE', key, math.ceil((math.max(moment, stop) - now + old) / 1000) + 1)
end

local believe = 2 * (near + every) + quiet
if now > believed then
	stop = 0
end
local intime = place and now >= place - near and now <= place + near
if not intime then
	patience = first
end
local wait = math.max(0, moment - now)
if wait <= patience then
	moment = math.max(moment, now - ahead) + every
	if intime then
		believed = now + believe
	end
	save()
	if place then
		redis.call('ZREM', key, id)
	end
	return {1, wait, now}
end

if place and now < place - near then
	return {0, place - near - now, now}
elseif place and now < place then
	return {0, place - now, now}
end
if intime then
	believed = now + believe
end
place = math.min(math.max(stop, moment, now + near), now + farthest)
if place > stop then
	believed = place + believe
end
stop = place + every + math.floor(every / 50)
save(place, id)
return {0, place - near - now, now}
