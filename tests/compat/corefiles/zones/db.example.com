$TTL 600
@       SOA ns1 hostmaster 3 7200 900 1209600 300
        NS  ns1
        NS  ns2
        MX  10 mail
ns1     A   192.0.2.1
ns2     A   192.0.2.2
mail    A   192.0.2.25
www     CNAME @
*.dyn   A   192.0.2.77
sub     NS  ns.sub
ns.sub  A   192.0.2.99
