/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DCMTK waits for three minutes that a peer closes the connection of an association which was rejected, released or aborted. Orthanc
 * has one thread that accepts associations: who is rejected and goes on holding the connection would keep all others out for
 * that long. This library, which is preloaded, has the connection closed at once; what was sent on it still arrives.
 */
#include <dlfcn.h>

class T_ASC_Association;

/* DCMTK's, of which no more is known here than that it is returned in memory. */
class OFCondition
{
public:
    OFCondition(const OFCondition &);
    ~OFCondition();
};

OFCondition ASC_dropSCPAssociation(T_ASC_Association *association, int)
{
    static const auto original = reinterpret_cast<OFCondition (*)(T_ASC_Association *, int)>(
        dlsym(RTLD_NEXT, "_Z22ASC_dropSCPAssociationP17T_ASC_Associationi"));
    return original(association, 0);
}
