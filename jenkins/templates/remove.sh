{{template "head" .}}

docker rmi {{.Image}} || true
