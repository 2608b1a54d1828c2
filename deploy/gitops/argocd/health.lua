-- Health of a HealedService for Argo CD: resource.customizations.health.kubeheal.dev_HealedService
hs = { status = "Progressing", message = "waiting for kubeheal" }

if obj.spec ~= nil and obj.spec.suspend == true then
  hs.status = "Suspended"
  hs.message = "spec.suspend is true"
  return hs
end
if obj.status == nil or obj.status.conditions == nil then
  return hs
end
if obj.metadata.generation ~= nil and obj.status.observedGeneration ~= obj.metadata.generation then
  hs.message = "waiting for kubeheal to see the new spec"
  return hs
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

-- The worst first. A repair under way leaves Degraded on, so that the health does not go back and forth while it is tried.
for _, type in ipairs({ "Stalled", "CircuitOpen", "Degraded" }) do
  if holds(type) then
    hs.status = "Degraded"
    hs.message = conditions[type].message
    return hs
  end
end
if conditions.Ready ~= nil then
  hs.message = conditions.Ready.message
end
if holds("Ready") then
  hs.status = "Healthy"
end
return hs
