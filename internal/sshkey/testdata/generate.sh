#!/bin/sh
# Makes the fixtures of this folder anew, with puttygen (PuTTY 0.78), ssh-keygen
# (OpenSSH 9.2) and openssl (3.0). Run it in this folder.
set -eu

passphrase='correct horse'
printf '%s' "$passphrase" >pass.tmp
trap 'rm -f pass.tmp plain.tmp' EXIT
mkdir -p ppk openssh pem unreadable certificate
rm -f ppk/* openssh/* pem/* unreadable/* certificate/* fingerprints.txt

record() { # record FILE FINGERPRINT
	printf '%s %s\n' "$1" "$2" >>fingerprints.txt
}

ppk() { # ppk NAME PARAMETERS PASSPHRASE-FILE PUTTYGEN-TYPE...
	file=ppk/$1.ppk params=$2 pass=$3
	shift 3
	puttygen -q "$@" -C "test key $file" --ppk-param "$params" --new-passphrase "$pass" -o "$file"
	record "$file" "$(puttygen -l "$file" --old-passphrase "$pass" | grep -o 'SHA256:.*')"
}

ppk_all() { # ppk_all NAME PUTTYGEN-TYPE...
	name=$1
	shift
	for version in 2 3; do
		params=version=$version
		[ $version = 2 ] || params=$params,memory=1024,passes=3
		ppk "$name-v$version" $params /dev/null "$@"
		ppk "$name-v$version-encrypted" $params pass.tmp "$@"
	done
}

ppk_all rsa -t rsa -b 2048
ppk_all dsa -t dsa -b 1024
ppk_all ecdsa256 -t ecdsa -b 256
ppk_all ecdsa384 -t ecdsa -b 384
ppk_all ecdsa521 -t ecdsa -b 521
ppk_all ed25519 -t ed25519
ppk ed25519-v3-argon2i version=3,kdf=argon2i,memory=1024,passes=3 pass.tmp -t ed25519
ppk ed25519-v3-parallel version=3,memory=1024,passes=3,parallelism=4 pass.tmp -t ed25519
ppk ed25519-v3-defaults version=3 pass.tmp -t ed25519

openssh() { # openssh NAME PASSPHRASE OPTION...
	file=openssh/$1 pass=$2
	shift 2
	ssh-keygen -q -f "$file" -N "$pass" -C "test key $file" "$@"
	record "$file" "$(ssh-keygen -lf "$file.pub" | cut -d' ' -f2)"
	rm "$file.pub"
}

openssh rsa '' -t rsa -b 2048
openssh ecdsa256 '' -t ecdsa -b 256
openssh ecdsa384 '' -t ecdsa -b 384
openssh ecdsa521 '' -t ecdsa -b 521
openssh ed25519 '' -t ed25519
openssh rsa-aes256-ctr "$passphrase" -t rsa -b 2048 -Z aes256-ctr
openssh ecdsa256-aes256-cbc "$passphrase" -t ecdsa -b 256 -Z aes256-cbc
openssh ed25519-aes256-ctr "$passphrase" -t ed25519 -Z aes256-ctr
openssh rsa.pem '' -t rsa -b 2048 -m PEM
openssh dsa.pem '' -t dsa -m PEM
openssh rsa-encrypted.pem "$passphrase" -t rsa -b 2048 -m PEM
openssh ecdsa256-encrypted.pem "$passphrase" -t ecdsa -b 256 -m PEM
openssh dsa-encrypted.pem "$passphrase" -t dsa -m PEM
openssh rsa-encrypted.p8 "$passphrase" -t rsa -b 2048 -m PKCS8

record_pem() { # record_pem FILE
	record "$1" "$(openssl pkey -in "$1" -passin file:pass.tmp -out plain.tmp &&
		chmod 600 plain.tmp && ssh-keygen -lf plain.tmp | cut -d' ' -f2)"
	rm -f plain.tmp
}

pkcs8() { # pkcs8 NAME OPTION...
	file=pem/$1
	shift
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null |
		openssl pkcs8 -topk8 -out "$file" -passout file:pass.tmp "$@"
	record_pem "$file"
}

pkcs8 pbkdf2-aes128 -v2 aes-128-cbc
pkcs8 pbkdf2-aes192 -v2 aes-192-cbc
pkcs8 pbkdf2-aes256-sha1 -v2 aes-256-cbc -v2prf hmacWithSHA1
pkcs8 pbkdf2-aes256-sha256 -v2 aes-256-cbc -v2prf hmacWithSHA256
pkcs8 pbkdf2-des3 -v2 des3
pkcs8 scrypt -scrypt
openssl ecparam -name prime256v1 -genkey -out pem/ec-with-parameters
record_pem pem/ec-with-parameters
openssl genrsa -traditional -aes256 -passout file:pass.tmp -out pem/rsa-dek-aes256 2048 2>/dev/null
record_pem pem/rsa-dek-aes256
openssl genrsa -traditional -des3 -passout file:pass.tmp -out pem/rsa-dek-des3 2048 2>/dev/null
record_pem pem/rsa-dek-des3

# From here on: what has no fingerprint, because it must be refused.
refused=unreadable
puttygen -q -t ed25519 -C test --ppk-param version=3,kdf=argon2d,memory=1024,passes=3 \
	--new-passphrase pass.tmp -o $refused/argon2d.ppk
puttygen -q -t ed448 -C test --new-passphrase /dev/null -o $refused/ed448.ppk
puttygen -q -t rsa -b 2048 -C test -O private-sshcom --new-passphrase /dev/null -o $refused/ssh.com
puttygen ppk/rsa-v2.ppk -p >$refused/rfc4716.pub
puttygen ppk/rsa-v2.ppk -L >$refused/openssh.pub
for cipher in aes128-ctr aes192-ctr aes128-cbc 3des-cbc aes256-gcm@openssh.com chacha20-poly1305@openssh.com; do
	ssh-keygen -q -t ed25519 -N "$passphrase" -C test -Z $cipher -f $refused/$cipher
	rm $refused/$cipher.pub
done
ssh-keygen -q -t ed25519 -N "$passphrase" -C test -a 1100 -f $refused/rounds
ssh-keygen -q -t dsa -N '' -C test -f $refused/dsa
rm $refused/rounds.pub $refused/dsa.pub
openssl pkey -in pem/ec-with-parameters -pubout -out $refused/pem.pub
openssl pkey -in pem/ec-with-parameters -outform DER -out $refused/der
openssl req -x509 -key pem/ec-with-parameters -subj /CN=test -days 1 -out $refused/x509
openssl pkcs12 -export -inkey pem/ec-with-parameters -in $refused/x509 -passout file:pass.tmp -out $refused/pkcs12
openssl pkcs8 -topk8 -in pem/ec-with-parameters -v1 PBE-SHA1-3DES -passout file:pass.tmp -out $refused/pbes1
openssl pkcs8 -topk8 -in pem/ec-with-parameters -v2prf hmacWithSHA512 -passout file:pass.tmp -out $refused/sha512
openssl genrsa -traditional -camellia256 -passout file:pass.tmp -out $refused/camellia 2048 2>/dev/null
openssl genpkey -algorithm x25519 -out $refused/x25519
openssl genpkey -algorithm ed448 -out $refused/ed448

ssh-keygen -q -t ed25519 -N '' -C test -f ca.tmp
for kind in user host; do
	option=
	[ $kind = user ] || option=-h
	ssh-keygen -y -f openssh/ed25519 >$kind.pub
	ssh-keygen -q -s ca.tmp -I "test $kind" -n test $option $kind.pub
	mv $kind-cert.pub certificate/$kind-ed25519-cert.pub
	rm $kind.pub
done
ssh-keygen -y -f openssh/rsa >rsa.pub
ssh-keygen -q -s ca.tmp -I 'test user' -n test rsa.pub
mv rsa-cert.pub certificate/user-rsa-cert.pub
rm -f rsa.pub ca.tmp ca.tmp.pub
puttygen ppk/ed25519-v3.ppk -L >p.pub
ssh-keygen -q -t ed25519 -N '' -C test -f ca.tmp
ssh-keygen -q -s ca.tmp -I 'test user' -n test p.pub
puttygen ppk/ed25519-v3.ppk --certificate p-cert.pub -o $refused/certificate.ppk
rm -f p.pub p-cert.pub ca.tmp ca.tmp.pub
chmod 644 ppk/* openssh/* pem/* unreadable/* certificate/*
