{{template "head" .}}

docker pull {{.Image}}
