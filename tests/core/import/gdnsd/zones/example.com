$TTL 600
@        SOA ns1 hostmaster (
           2026112201 7200 1800 1209600 300 )
@        NS  ns1
@        NS  ns2.example.net.
         MX  10 mail
ns1      A   192.0.2.53
mail     A   192.0.2.25
         AAAA 2001:db8::25
fixed    300 DYNA static!fixed
fixed6   300 DYNA static!fixed6
alias    300 DYNC static!elsewhere
zeros    DYNA null
lb       300/30 DYNA multifo!lb
         TXT "beside a pool"   ; indented: its owner went with the line above
lb-too   300/30 DYNA multifo!lb
both     300/30 DYNA multifo!both
pair     300/30 DYNA simplefo!pair
pairs    300/30 DYNA simplefo!pairs
balance  300/30 DYNA weighted!balance
order    300/30 DYNA metafo!order
spare    300/30 DYNA metafo!sites/spare
app      300/30 DYNA geoip!app
app-sg   300/30 DYNA geoip!app/sg-01
$ORIGIN sub.@Z
www      A 192.0.2.90
abs.@Z   A 192.0.2.91
@        TXT "sub"
$INCLUDE inc/more
