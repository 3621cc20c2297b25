#!/bin/sh
# Unpacks rsyslog and syslog-ng of Debian 12 into .debian/, for those who do not have them installed: nothing of the system is changed.
set -eu
cd "$(dirname "$0")"
mkdir -p .debian/packages
cd .debian/packages
apt-get download rsyslog rsyslog-elasticsearch libestr0 libfastjson4 liblognorm5 syslog-ng-core syslog-ng-mod-http libivykis0 libnet1 libpcre3 libwrap0
for package in *.deb; do dpkg -x "$package" ..; done
