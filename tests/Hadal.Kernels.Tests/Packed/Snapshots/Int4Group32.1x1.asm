; Int4Group32.1x1: 352 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x38]
    mov          esi, 0xf0f0f0f
    vpbroadcastd zmm4, esi
L1:
    vpxord       zmm1, zmm1, zmm1
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
    vpbroadcastd zmm0, [r9]
    add          r9, 4
    prefetcht0   [rax+0x2000]
    vpandd       zmm2, zmm4, [rax]
    vpbroadcastd zmm3, [rdx]
    vpdpbusd     zmm0, zmm2, zmm3
    vpsrld       zmm2, [rax], 4
    vpandd       zmm2, zmm2, zmm4
    vpbroadcastd zmm3, [rdx+4]
    vpdpbusd     zmm0, zmm2, zmm3
    prefetcht0   [rax+0x2040]
    vpandd       zmm2, zmm4, [rax+0x40]
    vpbroadcastd zmm3, [rdx+8]
    vpdpbusd     zmm0, zmm2, zmm3
    vpsrld       zmm2, [rax+0x40], 4
    vpandd       zmm2, zmm2, zmm4
    vpbroadcastd zmm3, [rdx+0xc]
    vpdpbusd     zmm0, zmm2, zmm3
    prefetcht0   [rax+0x2080]
    vpandd       zmm2, zmm4, [rax+0x80]
    vpbroadcastd zmm3, [rdx+0x10]
    vpdpbusd     zmm0, zmm2, zmm3
    vpsrld       zmm2, [rax+0x80], 4
    vpandd       zmm2, zmm2, zmm4
    vpbroadcastd zmm3, [rdx+0x14]
    vpdpbusd     zmm0, zmm2, zmm3
    prefetcht0   [rax+0x20c0]
    vpandd       zmm2, zmm4, [rax+0xc0]
    vpbroadcastd zmm3, [rdx+0x18]
    vpdpbusd     zmm0, zmm2, zmm3
    vpsrld       zmm2, [rax+0xc0], 4
    vpandd       zmm2, zmm2, zmm4
    vpbroadcastd zmm3, [rdx+0x1c]
    vpdpbusd     zmm0, zmm2, zmm3
    add          rax, 0x100
    add          rdx, 0x20
    vcvtph2ps    zmm2, [rax]
    vcvtdq2ps    zmm0, zmm0
    vfmadd231ps  zmm1, zmm0, zmm2
    add          rax, 0x20
    dec          esi
    jne          near L2
    vmovups      zmm2, [r11]
    vfmadd231ps  zmm2, zmm1, [r8]{1to16}
    vmovups      [r11], zmm2
    add          r8, 4
    dec          ecx
    jne          near L1
    vzeroupper
    ret
