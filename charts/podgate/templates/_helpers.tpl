{{/* The chart's name, or what overrides it. */}}
{{- define "podgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of all objects. 54 characters, so that the Service with the longest suffix ("-metrics") has at most 63. */}}
{{- define "podgate.fullname" -}}
{{- $name := include "podgate.name" . -}}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $release .Values.fullnameOverride | trunc 54 | trimSuffix "-" -}}
{{- end -}}

{{- define "podgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "podgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: webhook
{{- end -}}

{{/* Labels of an object: (list . COMPONENT). What selectors need wins over commonLabels. */}}
{{- define "podgate.labels" -}}
{{- $root := index . 0 -}}
{{- $labels := include "podgate.selectorLabels" $root | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/component" (index . 1) -}}
{{- $_ := set $labels "app.kubernetes.io/version" (toString $root.Chart.AppVersion) -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- mergeOverwrite (deepCopy $root.Values.commonLabels) $labels | toYaml -}}
{{- end -}}

{{/* Labels of the pods. The version stays out: it would roll the pods at upgrades that change nothing. */}}
{{- define "podgate.podLabels" -}}
{{- $labels := include "podgate.selectorLabels" . | fromYaml -}}
{{- mergeOverwrite (deepCopy .Values.commonLabels) .Values.podLabels $labels | toYaml -}}
{{- end -}}

{{- define "podgate.serviceAccountName" -}}
{{- default (include "podgate.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "podgate.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The Secret with the serving certificate. cert-manager's has another name than podgate's: Helm takes no object over
     that somebody else has made, and would end an upgrade from the one way to the other. */}}
{{- define "podgate.certificateSecret" -}}
{{- if eq .Values.certificates.mode "existingSecret" -}}
{{ .Values.certificates.existingSecret.name }}
{{- else if eq .Values.certificates.mode "certManager" -}}
{{ include "podgate.fullname" . }}-tls
{{- else -}}
{{ include "podgate.fullname" . }}-tls-self
{{- end -}}
{{- end -}}

{{/* The settings file: the values, and what follows from other values. */}}
{{- define "podgate.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- if .Values.registryHosts -}}
{{- $registries := mergeOverwrite (deepCopy ($settings.registries | default dict)) (dict "hostsDir" "/etc/podgate/hosts") -}}
{{- $_ := set $settings "registries" $registries -}}
{{- end -}}
{{- $certificate := dict "mode" "files" -}}
{{- if eq .Values.certificates.mode "selfManaged" -}}
{{- $name := include "podgate.fullname" . -}}
{{- $certificate = dict "mode" "selfManaged" "secret" (include "podgate.certificateSecret" .) "webhookConfiguration" $name "service" $name -}}
{{- end -}}
{{- $_ := set $settings "certificate" (mergeOverwrite (deepCopy ($settings.certificate | default dict)) $certificate) -}}
{{- $settings | toYaml -}}
{{- end -}}

{{/* What tells settings apart that podgate reads at its start alone. */}}
{{- define "podgate.settingsAtStart" -}}
{{- pick (include "podgate.settings" . | fromYaml) "kinds" "server" "certificate" "traces" | toJson | sha256sum | trunc 16 | quote -}}
{{- end -}}

{{/* Where the key of settings.server is, or its default: a user may take a whole part of the settings away by null. */}}
{{- define "podgate.port" -}}{{ dig "server" "port" 8443 .Values.settings | int }}{{- end -}}
{{- define "podgate.metricsPort" -}}{{ dig "server" "metricsPort" 8080 .Values.settings | int }}{{- end -}}
{{- define "podgate.certificateDir" -}}{{ dig "server" "certificateDir" "/etc/podgate/tls" .Values.settings }}{{- end -}}
{{- define "podgate.binding" -}}{{ dig "binding" "off" .Values.settings }}{{- end -}}

{{/* Whether the API of the Prometheus operator is served. */}}
{{- define "podgate.monitoringServed" -}}
{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" -}}true{{- end -}}
{{- end -}}

{{/* The key of a ConfigMap for (list REGISTRY FILE): a registry's port, and what else a key must not have, as a "-". */}}
{{- define "podgate.hostsKey" -}}
{{ regexReplaceAll "[^-._a-zA-Z0-9]" (index . 0) "-" }}.{{ printf "%s/%s" (index . 0) (index . 1) | sha256sum | trunc 8 }}.{{ index . 1 }}
{{- end -}}

{{- define "podgate.subject" -}}
- kind: ServiceAccount
  name: {{ include "podgate.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
