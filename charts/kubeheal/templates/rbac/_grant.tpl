{{/*
A role for the controller, and its binding: in the watched namespace if there is one, else in the whole cluster.
Takes (dict "root" $ "part" "logs" "rules" "- apiGroups: …"); the part is what the role's name ends with, and may be empty.
*/}}
{{- define "kubeheal.grant" -}}
{{- $root := .root -}}
{{- $name := ternary (printf "%s-%s" (include "kubeheal.name" $root) .part) (include "kubeheal.name" $root) (ne .part "") -}}
{{- $namespace := .namespace | default $root.Values.watchNamespace -}}
{{- $scope := ternary "" "Cluster" (ne $namespace "") -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}Role
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kubeheal.labels" $root | nindent 4 }}
rules:
  {{- .rules | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}RoleBinding
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kubeheal.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $scope }}Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "kubeheal.serviceAccountName" $root }}
    namespace: {{ $root.Release.Namespace }}
{{- end -}}
