# shellcheck shell=sh
# Run by tasks/upgrade.yml in a separate container: prints the versions of Orthanc, and of the index plugin that Orthanc loads.
Orthanc --version
for plugin in /usr/share/orthanc/plugins*/libOrthancPostgreSQLIndex.so; do
    cat >/tmp/orthanc.json <<JSON
{"Plugins": ["$plugin"], "PostgreSQL": {"EnableIndex": false}, "HttpServerEnabled": false, "DicomServerEnabled": false,
 "StorageDirectory": "/tmp/storage"}
JSON
    timeout 30 Orthanc /tmp/orthanc.json 2>&1 | grep --max-count 1 "Registering plugin 'postgresql-index'" || true
done
